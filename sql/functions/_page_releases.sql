-- The "releases" and "abis" of a project's page (_project_page.sql), as they stand at this moment:
--   abis      the farm's, in the order of their ranks, retired ones too: {tag, retired: why, or null}
--   releases  those that are known and not removed from the index, newest first: {version, released: as the JSON API has it,
--             prerelease, yanked: reason or null, skip: the operator's reason or null, why_not, cells}
-- why_not (what speaks against building it, views/judgement.sql) and cells are there for the newest releases only: as many
-- as make 1,000 cells, at most 100. A project under quarantine has no cells: nothing of it is shown.
-- A cell says how the release stands for one ABI, in the words of functions/why.sql: {abi, state, outcome, build: the newest
-- attempt that counts, where there is one, log: whether it printed anything, due: when it is queued again, reason}; what does
-- not apply is left out, and so is an ABI that has no state. Retired ABIs are there where something was tried.
-- Costs a few index look-ups for each of those cells. In plpgsql, which keeps its plan: every page comes by here. The planner
-- takes it to be dear, and compiling it takes seconds.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._page_releases(p_pkg integer, OUT releases json, OUT abis json)
LANGUAGE plpgsql STABLE SET search_path = piw, pg_temp SET jit = off
AS $$
DECLARE
    c_releases CONSTANT integer := 100;
    c_cells CONSTANT integer := 1000;
    v_skip text;
    v_hidden boolean;
    v_near integer;
BEGIN
    SELECT p.skip, p.status = 'quarantined' INTO v_skip, v_hidden FROM package p WHERE p.pkg_id = p_pkg;
    SELECT coalesce(json_agg(json_build_object('tag', a.tag, 'retired', a.skip) ORDER BY a.rank), '[]'),
        least(c_releases, c_cells / greatest(1, count(*) FILTER (WHERE a.skip IS NULL)))
    INTO abis, v_near FROM abi a;
    WITH known AS MATERIALIZED (
        SELECT v.ver_id, v.version, v.sort_key, v.released, v.prerelease, coalesce(v.yank, v.yanked) AS yanked, v.skip,
            row_number() OVER (ORDER BY v.sort_key DESC) <= v_near AS near
        FROM version v
        WHERE v.pkg_id = p_pkg AND (v.removed_at IS NULL OR EXISTS (SELECT FROM file f WHERE f.ver_id = v.ver_id))
    ), near AS MATERIALIZED (
        SELECT s.*, o.abi_id AS open_abi, o.state AS open_state, o.build_id AS open_build, o.due, o.why
        FROM known k
        JOIN vstate s ON s.ver_id = k.ver_id
        -- at most one of these is there
        LEFT JOIN LATERAL (
            SELECT l.abi_id, 'building' AS state, l.build_id, NULL::timestamptz AS due, NULL AS why
            FROM lease l WHERE l.ver_id = s.ver_id AND l.ended IS NULL
            UNION ALL SELECT q.abi_id, 'queued', NULL, NULL, NULL FROM queue q WHERE q.ver_id = s.ver_id
            UNION ALL SELECT d.abi_id, 'delayed', NULL, d.due, d.why FROM delayed d WHERE d.ver_id = s.ver_id
            LIMIT 1
        ) AS o ON true
        WHERE k.near AND NOT v_hidden
    ), cell AS (
        SELECT n.ver_id, a.tag, a.rank, b.build_id, b.outcome, b.has_log, two.state,
            CASE two.state WHEN 'delayed' THEN n.why WHEN 'off' THEN two.off END AS reason,
            CASE two.state WHEN 'delayed' THEN n.due END AS due
        FROM near n
        CROSS JOIN abi a
        LEFT JOIN LATERAL (
            SELECT o.build_id, o.outcome, o.attempt, o.void, o.log_bytes > 0 AS has_log
            FROM build o WHERE o.ver_id = n.ver_id AND o.abi_id = a.abi_id
            ORDER BY o.outcome = 'superseded', o.built_at DESC, o.build_id DESC LIMIT 1
        ) AS b ON true
        -- OFFSET 0: each is worked out once, not wherever it is named
        CROSS JOIN LATERAL (SELECT CASE
            WHEN n.open_abi = a.abi_id THEN n.open_state
            WHEN b.outcome = 'built' AND NOT b.void THEN 'built'
            WHEN NOT b.void AND _settles(b.outcome, b.attempt) THEN 'failed'
            WHEN n.covered OR (n.done >> a.abi_id) & 1 = 1 OR _abi3_serves(n.abi3_from, a) THEN 'settled'
        END AS state OFFSET 0) AS one
        CROSS JOIN LATERAL (
            SELECT coalesce(one.state, CASE
                WHEN NOT n.blocked AND t.off IS NOT NULL AND (b.outcome IS NULL OR b.void) THEN 'off'
                WHEN NOT n.blocked AND t.off IS NULL THEN 'waiting'
                WHEN b.outcome IS NOT NULL THEN 'failed'
            END) AS state, t.off
            FROM (SELECT CASE WHEN one.state IS NULL AND NOT n.blocked THEN
                (SELECT w.off FROM target w WHERE w.ver_id = n.ver_id AND w.abi_id = a.abi_id) END AS off OFFSET 0) AS t
            OFFSET 0
        ) AS two
        WHERE two.state IS NOT NULL AND (a.skip IS NULL OR b.build_id IS NOT NULL OR n.open_abi = a.abi_id)
    ), cells AS (
        SELECT c.ver_id, json_agg(json_strip_nulls(json_build_object('abi', c.tag, 'state', c.state, 'outcome', c.outcome,
            'build', c.build_id, 'log', c.has_log, 'reason', c.reason,
            'due', to_char(c.due AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))) ORDER BY c.rank) AS cells
        FROM cell c GROUP BY c.ver_id
    )
    SELECT coalesce(json_agg(json_build_object('version', k.version, 'prerelease', k.prerelease, 'yanked', k.yanked,
        'released', to_char(k.released AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), 'skip', coalesce(v_skip, k.skip),
        'why_not', CASE WHEN n.blocked THEN (SELECT j.why_not FROM judgement j WHERE j.ver_id = k.ver_id) END,
        'near', k.near, 'cells', coalesce(c.cells, '[]')) ORDER BY k.sort_key DESC), '[]')
    INTO releases
    FROM known k LEFT JOIN near n ON n.ver_id = k.ver_id LEFT JOIN cells c ON c.ver_id = k.ver_id;
END
$$;
