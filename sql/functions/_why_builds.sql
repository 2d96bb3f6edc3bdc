-- The "builds" of one version, as functions/why.sql describes them; the reports where they are asked for.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._why_builds(p_ver integer, p_reports boolean) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    SELECT coalesce(jsonb_agg(jsonb_build_object(
        'abi', e.tag, 'state', e.state, 'outcome', e.outcome,
        'build_id', CASE WHEN e.state = 'building' THEN e.lease_id WHEN e.recorded THEN e.build_id END,
        'slave', CASE WHEN e.state = 'building' THEN e.lease_slave WHEN e.recorded THEN e.slave END,
        'since', CASE WHEN e.state = 'building' THEN floor(extract(epoch FROM e.claimed_at))::bigint END,
        'built_at', floor(extract(epoch FROM e.built_at))::bigint,
        'duration_ms', e.duration_ms, 'log_bytes', e.log_bytes,
        'attempt', coalesce(e.open_attempt, CASE WHEN e.recorded THEN e.attempt END),
        'place', e.place, 'due', floor(extract(epoch FROM e.due))::bigint, 'reason', e.reason,
        'report', CASE WHEN p_reports THEN e.report END, 'files', e.files) ORDER BY e.rank), '[]')
    FROM (
        SELECT a.tag, a.rank, b.*, l.build_id AS lease_id, l.slave AS lease_slave, l.claimed_at, d.due,
            CASE one.state WHEN 'delayed' THEN d.why WHEN 'off' THEN t.off END AS reason,
            coalesce(l.attempt, q.attempt, d.attempt) AS open_attempt, one.state,
            one.state IN ('built', 'failed') AS recorded,
            CASE WHEN one.state = 'queued' THEN _place(q.abi_id, q.prio, q.ver_id) END AS place,
            (SELECT coalesce(jsonb_agg(jsonb_build_object('filename', f.filename,
                    'build_id', f.build_id, 'size', f.size,
                    'sha256', encode(f.sha256, 'hex'), 'python_tag', f.python_tag, 'abi_tag', f.abi_tag,
                    'platform_tag', f.platform_tag) ORDER BY f.filename), '[]')
                FROM file f JOIN build fb ON fb.build_id = f.build_id
                WHERE f.ver_id = p_ver AND fb.abi_id = a.abi_id) AS files
        FROM vstate s
        CROSS JOIN abi a
        JOIN target t ON t.ver_id = s.ver_id AND t.abi_id = a.abi_id
        LEFT JOIN queue q ON q.ver_id = s.ver_id AND q.abi_id = a.abi_id
        LEFT JOIN delayed d ON d.ver_id = s.ver_id AND d.abi_id = a.abi_id
        LEFT JOIN lease l ON l.ver_id = s.ver_id AND l.abi_id = a.abi_id AND l.ended IS NULL
        LEFT JOIN LATERAL (
            SELECT n.build_id, n.slave, n.outcome, n.built_at, n.duration_ms, n.log_bytes, n.attempt, n.void, n.report
            FROM build n WHERE n.ver_id = s.ver_id AND n.abi_id = a.abi_id
            -- by when it was recorded: a late result that counts may be of a lower number than a loss
            ORDER BY n.outcome = 'superseded', n.built_at DESC, n.build_id DESC LIMIT 1
        ) AS b ON true
        CROSS JOIN LATERAL (SELECT CASE
            WHEN l.build_id IS NOT NULL THEN 'building'
            WHEN q.ver_id IS NOT NULL THEN 'queued'
            WHEN d.ver_id IS NOT NULL THEN 'delayed'
            WHEN b.outcome = 'built' AND NOT b.void THEN 'built'
            WHEN NOT b.void AND _settles(b.outcome, b.attempt) THEN 'failed'
            WHEN s.covered OR (s.done >> a.abi_id) & 1 = 1 OR _abi3_serves(s.abi3_from, a) THEN 'settled'
            WHEN t.off IS NOT NULL AND NOT s.blocked AND (b.outcome IS NULL OR b.void) THEN 'off'
            WHEN NOT s.blocked AND t.off IS NULL THEN 'waiting'
            WHEN b.outcome IS NOT NULL THEN 'failed'
        END AS state) AS one
        WHERE s.ver_id = p_ver AND one.state IS NOT NULL
    ) AS e
$$;
