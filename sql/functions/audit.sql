-- Compares what is kept for speed (vstate, queue, delayed, package.published) with what it follows from (build, file,
-- lease), and returns a row for every disagreement: none in a sound database. ver_id is 0 where a package is meant.
-- Scans everything: seconds to minutes on a large farm; nothing is locked, so results that come in while it runs are
-- seen whole or not at all.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.audit() RETURNS TABLE (ver_id integer, problem text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
    WITH open_row AS (
        SELECT q.ver_id, q.abi_id, q.prio, q.ready, 'queued' AS kind FROM queue q
        UNION ALL SELECT d.ver_id, d.abi_id, d.prio, NULL, 'delayed' FROM delayed d
        UNION ALL SELECT l.ver_id, l.abi_id, NULL, NULL, 'leased' FROM lease l WHERE l.ended IS NULL
    ), made AS (
        SELECT b.ver_id, f.build_id, bool_and(f.abi_tag = 'none') AS pure,
            -- asked only of the few builds that it says something of: a call costs more than all the rest of a row
            CASE WHEN bool_or(f.abi_tag = 'abi3') THEN _abi3_from(array_agg(f.python_tag), array_agg(f.abi_tag)) END
                AS abi3_from
        FROM file f JOIN build b ON b.build_id = f.build_id
        WHERE NOT b.void GROUP BY b.ver_id, f.build_id
    ), files AS (
        SELECT m.ver_id, bool_or(m.pure) AS pure, min(m.abi3_from) AS abi3_from FROM made m GROUP BY m.ver_id
    ), attempted AS (
        SELECT b.ver_id, bit_or(1::bigint << b.abi_id) AS bits
        FROM build b WHERE NOT b.void AND _settles(b.outcome, b.attempt) GROUP BY b.ver_id
    ), opened AS (
        SELECT o.ver_id, coalesce(bit_or(1::bigint << o.abi_id) FILTER (WHERE o.kind = 'leased'), 0) AS leased_bits,
            coalesce(bit_or(1::bigint << o.abi_id) FILTER (WHERE o.kind <> 'leased'), 0) AS waiting_bits,
            count(*) FILTER (WHERE o.kind <> 'leased') AS waiting
        FROM open_row o GROUP BY o.ver_id
    ), due AS (
        SELECT s.*, coalesce(f.pure, false) AS pure, f.abi3_from AS from_files, coalesce(t.bits, 0) AS built_bits,
            coalesce(o.leased_bits | o.waiting_bits, 0) AS open_bits,
            -- a late result may settle the ABI that another slave is still building
            coalesce(o.leased_bits & ~s.done, 0) AS building_bits, coalesce(o.waiting, 0) AS waiting,
            j.why_not IS NOT NULL AS skipped, j.prio AS due_prio
        FROM (
            SELECT vs.* FROM vstate vs
            -- what a walk has still to come by is brought in line by it
            WHERE vs.ver_id < coalesce((SELECT min(w.next_ver) FROM walk w), 2147483647)
        ) AS s
        JOIN judgement j ON j.ver_id = s.ver_id
        LEFT JOIN files f ON f.ver_id = s.ver_id
        LEFT JOIN attempted t ON t.ver_id = s.ver_id
        LEFT JOIN opened o ON o.ver_id = s.ver_id
    )
    SELECT v.ver_id, 'has no state' FROM version v WHERE NOT EXISTS (SELECT FROM vstate s WHERE s.ver_id = v.ver_id)
    UNION ALL
    SELECT d.ver_id, 'is open and in no queue' FROM due d
    WHERE NOT d.covered AND NOT d.blocked AND d.open_bits = 0
        AND EXISTS (SELECT FROM target t WHERE t.ver_id = d.ver_id AND t.open)
    UNION ALL
    SELECT d.ver_id, 'is queued or leased more than once' FROM due d
    WHERE d.waiting > 1 OR (NOT d.covered
        AND ((d.waiting = 1 AND d.building_bits <> 0) OR d.building_bits & (d.building_bits - 1) <> 0))
    UNION ALL
    SELECT d.ver_id, 'is ' || o.kind || ' for ' || a.tag || ' but needs no build'
    FROM due d JOIN open_row o ON o.ver_id = d.ver_id JOIN abi a ON a.abi_id = o.abi_id
    WHERE o.kind <> 'leased' AND a.skip IS NULL AND (d.covered OR d.blocked
        OR NOT (SELECT t.open FROM target t WHERE t.ver_id = d.ver_id AND t.abi_id = o.abi_id))
    UNION ALL
    SELECT d.ver_id, 'is ' || o.kind || ' with another priority than its own'
    FROM due d JOIN open_row o ON o.ver_id = d.ver_id WHERE o.prio <> d.prio
    UNION ALL
    SELECT d.ver_id, 'has another priority than follows from what is known of it' FROM due d
    WHERE d.prio <> d.due_prio AND NOT d.blocked AND NOT d.covered
    UNION ALL
    SELECT d.ver_id, 'is queued as checked and is not, or the other way round'
    FROM due d JOIN open_row o ON o.ver_id = d.ver_id WHERE o.ready <> d.checked
    UNION ALL
    SELECT d.ver_id, 'counts ABIs as settled that nothing settled' FROM due d
    WHERE d.done & ~d.built_bits <> 0
    UNION ALL
    SELECT d.ver_id, 'does not count an ABI as settled that was built' FROM due d
    -- one that is to be built again has its old build and an open row
    WHERE d.built_bits & ~d.done & ~d.open_bits <> 0
    UNION ALL
    SELECT d.ver_id, 'is covered without wheel, or not in spite of one' FROM due d WHERE d.covered <> d.pure
    UNION ALL
    SELECT d.ver_id, 'has another abi3 limit than its files' FROM due d
    WHERE d.abi3_from IS DISTINCT FROM d.from_files
    UNION ALL
    SELECT d.ver_id, 'is blocked with nothing against it, or something is and it is not blocked' FROM due d
    WHERE d.blocked <> d.skipped
    UNION ALL
    SELECT l.ver_id, 'has build ' || l.build_id || ' recorded and its lease alive'
    FROM lease l JOIN build b ON b.build_id = l.build_id WHERE l.ended IS NULL
    UNION ALL
    SELECT f.ver_id, f.filename || ' does not belong to its build'
    FROM file f JOIN build b ON b.build_id = f.build_id JOIN version v ON v.ver_id = f.ver_id
    WHERE f.ver_id <> b.ver_id OR f.pkg_id <> v.pkg_id OR b.outcome <> 'built'
    UNION ALL
    SELECT 0, p.name || ' counts as published without files, or not in spite of them' FROM package p
    WHERE p.published <> (p.status <> 'quarantined' AND EXISTS (
            SELECT FROM file f WHERE f.pkg_id = p.pkg_id AND f.withheld IS NULL))
    UNION ALL
    SELECT 0, p.name || ' has another newest version than is noted' FROM package p
    WHERE p.newest IS DISTINCT FROM (
        SELECT v.ver_id FROM version v
        WHERE v.pkg_id = p.pkg_id AND v.sdist AND v.removed_at IS NULL AND v.yanked IS NULL AND v.skip IS NULL
        ORDER BY v.prerelease, v.sort_key DESC LIMIT 1)
    UNION ALL
    SELECT 0, 'the counter ' || c.kind || ' is ' || c.kept || ' and not ' || c.counted FROM _counted() c
    WHERE c.kept <> c.counted
$$;
