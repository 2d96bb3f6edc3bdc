-- Works out anew, of all versions and packages at once, everything that is kept for speed: the newest versions, how far
-- each version is, what waits, which projects have pages, the counters. What mend() does one by one for what the audit
-- finds; for when all of it changed at once, or is new. A version without state is checked before it is handed out.
-- What waits keeps its attempt and its moment where it is still to be built; projects that came to have a page, or to
-- have none, are ordered.
-- Nobody else is at work: the caller has the tables for itself. Some minutes for ten million versions.
-- May be called by: piw-initdb.
CREATE FUNCTION piw._derive() RETURNS void
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
BEGIN
    INSERT INTO vstate (ver_id, prio, blocked, checked)
    SELECT v.ver_id, 0, true, false FROM version v WHERE NOT EXISTS (SELECT FROM vstate s WHERE s.ver_id = v.ver_id);
    UPDATE package p SET newest = n.ver_id
    FROM (
        SELECT o.pkg_id, l.ver_id FROM package o LEFT JOIN (
            SELECT DISTINCT ON (v.pkg_id) v.pkg_id, v.ver_id FROM version v
            WHERE v.sdist AND v.removed_at IS NULL AND v.yanked IS NULL AND v.skip IS NULL
            ORDER BY v.pkg_id, v.prerelease, v.sort_key DESC
        ) AS l ON l.pkg_id = o.pkg_id
    ) AS n
    WHERE n.pkg_id = p.pkg_id AND p.newest IS DISTINCT FROM n.ver_id;

    WITH settling AS (
        SELECT o.outcome, o.attempt FROM (SELECT DISTINCT b.outcome, b.attempt FROM build b) AS o
        WHERE _settles(o.outcome, o.attempt)
    ), attempted AS (
        SELECT b.ver_id, bit_or(1::bigint << b.abi_id) AS bits
        FROM build b JOIN settling o ON o.outcome = b.outcome AND o.attempt = b.attempt
        WHERE NOT b.void GROUP BY b.ver_id
    ), made AS (
        SELECT f.ver_id, bool_and(f.abi_tag = 'none') AS pure,
            -- few have any, and asking costs more than everything else
            CASE WHEN bool_or(f.abi_tag = 'abi3')
                THEN _abi3_from(array_agg(f.python_tag), array_agg(f.abi_tag)) END AS abi3_from
        FROM file f JOIN build b ON b.build_id = f.build_id
        WHERE NOT b.void GROUP BY f.ver_id, f.build_id
    ), files AS (
        SELECT m.ver_id, bool_or(m.pure) AS pure, min(m.abi3_from) AS abi3_from FROM made m GROUP BY m.ver_id
    ), due AS (
        SELECT j.ver_id, coalesce(a.bits, 0) AS done, coalesce(f.pure, false) AS covered, f.abi3_from,
            j.why_not IS NOT NULL AS blocked, j.prio
        FROM judgement j
        LEFT JOIN attempted a ON a.ver_id = j.ver_id
        LEFT JOIN files f ON f.ver_id = j.ver_id
    )
    UPDATE vstate s SET done = d.done, covered = d.covered, abi3_from = d.abi3_from, blocked = d.blocked, prio = d.prio
    FROM due d
    WHERE d.ver_id = s.ver_id AND (s.done, s.covered, s.abi3_from, s.blocked, s.prio)
        IS DISTINCT FROM (d.done, d.covered, d.abi3_from, d.blocked, d.prio);

    DELETE FROM queue q USING vstate s
    WHERE s.ver_id = q.ver_id AND (s.covered OR s.blocked
        OR NOT (SELECT t.open FROM target t WHERE t.ver_id = q.ver_id AND t.abi_id = q.abi_id));
    DELETE FROM delayed d USING vstate s
    WHERE s.ver_id = d.ver_id AND (s.covered OR s.blocked
        OR NOT (SELECT t.open FROM target t WHERE t.ver_id = d.ver_id AND t.abi_id = d.abi_id));
    UPDATE queue q SET prio = s.prio, ready = s.checked FROM vstate s
    WHERE s.ver_id = q.ver_id AND (q.prio <> s.prio OR q.ready <> s.checked);
    UPDATE delayed d SET prio = s.prio FROM vstate s WHERE s.ver_id = d.ver_id AND d.prio <> s.prio;
    INSERT INTO queue (ver_id, abi_id, prio, attempt, ready)
    SELECT s.ver_id, t.abi_id, s.prio, 1, s.checked
    FROM vstate s CROSS JOIN LATERAL (
        SELECT o.abi_id FROM target o WHERE o.ver_id = s.ver_id AND o.open ORDER BY o.rank LIMIT 1
    ) AS t
    WHERE NOT s.covered AND NOT s.blocked
        AND NOT EXISTS (SELECT FROM queue q WHERE q.ver_id = s.ver_id)
        AND NOT EXISTS (SELECT FROM delayed d WHERE d.ver_id = s.ver_id)
        AND NOT EXISTS (SELECT FROM lease l WHERE l.ver_id = s.ver_id AND l.ended IS NULL);
    -- no version is left for one to come by
    DELETE FROM walk;

    WITH shown AS (
        SELECT DISTINCT f.pkg_id FROM file f WHERE f.withheld IS NULL
    ), turned AS (
        UPDATE package p SET published = NOT p.published
        FROM (SELECT o.pkg_id, s.pkg_id IS NOT NULL AND o.status <> 'quarantined' AS published
            FROM package o LEFT JOIN shown s ON s.pkg_id = o.pkg_id) AS n
        WHERE n.pkg_id = p.pkg_id AND p.published <> n.published
        RETURNING p.pkg_id
    ), pages AS (
        SELECT 'project' AS kind, t.pkg_id FROM turned t
        UNION ALL (SELECT 'root', 0 FROM turned LIMIT 1)
    )
    INSERT INTO rewrite (kind, pkg_id, ordered_at) SELECT p.kind, p.pkg_id, clock_timestamp() FROM pages p
    ON CONFLICT (kind, pkg_id) DO UPDATE SET ordered = nextval('rewrite_order_seq');
    PERFORM _recount();
END
$$;
