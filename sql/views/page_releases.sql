-- The releases of each project's page (project_page.sql), as they stand at this moment: those that are known and not removed
-- from the index, newest first: [version, released: as the JSON API has it, prerelease, yanked: reason or null, skip: the
-- operator's reason or null, why_not, near, cells]
-- why_not (what speaks against building it, judgement.sql) and cells are there for the newest releases only (near): as many
-- as make 1,000 cells, at most 100. A project under quarantine has no cells: nothing of it is shown.
-- A cell says how the release stands for one ABI, in the words of functions/why.sql: [abi, state, outcome, build: the newest
-- attempt that counts, where there is one, log: whether it printed anything, due: when it is queued again, reason]; what does
-- not apply is null, and an ABI that has no state is left out. Retired ABIs are there where something was tried.
-- Read for one pkg_id at a time: it costs a few index look-ups for each release, and one for each cell.
-- May be read by: functions of this schema.
CREATE VIEW piw.page_releases AS
SELECT p.pkg_id, (
    WITH known AS MATERIALIZED (
        SELECT v.ver_id, v.version, v.sort_key, v.released, v.prerelease, coalesce(v.yank, v.yanked) AS yanked, v.skip,
            row_number() OVER (ORDER BY v.sort_key DESC)
                <= (SELECT least(100, 1000 / greatest(1, count(*))) FROM piw.abi a WHERE a.skip IS NULL) AS near
        FROM piw.version v
        WHERE v.pkg_id = p.pkg_id
            AND (v.removed_at IS NULL OR EXISTS (SELECT FROM piw.file f WHERE f.ver_id = v.ver_id))
    ), near AS MATERIALIZED (
        SELECT s.ver_id, s.done, s.covered, s.abi3_from, s.blocked, o.abi_id AS open_abi, o.state AS open_state, o.due, o.why
        FROM known k
        JOIN piw.vstate s ON s.ver_id = k.ver_id
        -- at most one of these is there
        LEFT JOIN LATERAL (
            SELECT l.abi_id, 'building' AS state, NULL::timestamptz AS due, NULL AS why
            FROM piw.lease l WHERE l.ver_id = s.ver_id AND l.ended IS NULL
            UNION ALL SELECT q.abi_id, 'queued', NULL, NULL FROM piw.queue q WHERE q.ver_id = s.ver_id
            UNION ALL SELECT d.abi_id, 'delayed', d.due, d.why FROM piw.delayed d WHERE d.ver_id = s.ver_id
            LIMIT 1
        ) AS o ON true
        WHERE k.near AND p.status <> 'quarantined'
    ), cell AS (
        SELECT n.ver_id, a.tag, a.rank, b.build_id, b.outcome, b.has_log, two.state,
            CASE two.state WHEN 'delayed' THEN n.why WHEN 'off' THEN two.off END AS reason,
            CASE two.state WHEN 'delayed' THEN n.due END AS due
        FROM near n
        CROSS JOIN piw.abi a
        LEFT JOIN LATERAL (
            SELECT o.build_id, o.outcome, o.attempt, o.void, o.log_bytes > 0 AS has_log
            FROM piw.build o WHERE o.ver_id = n.ver_id AND o.abi_id = a.abi_id
            ORDER BY o.outcome = 'superseded', o.built_at DESC, o.build_id DESC LIMIT 1
        ) AS b ON true
        -- OFFSET 0: each is worked out once, not wherever it is named
        CROSS JOIN LATERAL (SELECT CASE
            WHEN n.open_abi = a.abi_id THEN n.open_state
            WHEN b.outcome = 'built' AND NOT b.void THEN 'built'
            WHEN NOT b.void AND piw._settles(b.outcome, b.attempt) THEN 'failed'
            WHEN n.covered OR (n.done >> a.abi_id) & 1 = 1 OR piw._abi3_serves(n.abi3_from, a) THEN 'settled'
        END AS state OFFSET 0) AS one
        CROSS JOIN LATERAL (
            SELECT coalesce(one.state, CASE
                WHEN NOT n.blocked AND t.off IS NOT NULL AND (b.outcome IS NULL OR b.void) THEN 'off'
                WHEN NOT n.blocked AND t.off IS NULL THEN 'waiting'
                WHEN b.outcome IS NOT NULL THEN 'failed'
            END) AS state, t.off
            FROM (SELECT CASE WHEN one.state IS NULL AND NOT n.blocked THEN
                (SELECT w.off FROM piw.target w WHERE w.ver_id = n.ver_id AND w.abi_id = a.abi_id) END AS off OFFSET 0) AS t
            OFFSET 0
        ) AS two
        WHERE two.state IS NOT NULL AND (a.skip IS NULL OR b.build_id IS NOT NULL OR n.open_abi = a.abi_id)
    ), cells AS (
        SELECT c.ver_id, json_agg(json_build_array(c.tag, c.state, c.outcome, c.build_id, c.has_log,
            to_char(c.due AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), c.reason) ORDER BY c.rank) AS cells
        FROM cell c GROUP BY c.ver_id
    )
    SELECT coalesce(json_agg(json_build_array(k.version, to_char(k.released AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'), k.prerelease,
        k.yanked, coalesce(p.skip, k.skip),
        CASE WHEN n.blocked THEN (SELECT j.why_not FROM piw.judgement j WHERE j.ver_id = k.ver_id) END,
        k.near, coalesce(c.cells, '[]')) ORDER BY k.sort_key DESC), '[]')
    FROM known k LEFT JOIN near n ON n.ver_id = k.ver_id LEFT JOIN cells c ON c.ver_id = k.ver_id
) AS releases
FROM piw.package p;
