-- Goes on with what a change of an ABI or a policy asks for, at most p_limit versions at a time: takes what waits for
-- retired ABIs on to the next, opens versions for new ABIs, judges versions by new policies, and orders the pages on which
-- that shows. Returns the ABIs whose queues
-- got something, and whether there is more to do. Nothing is locked for longer than one call.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.walk(p_limit integer) RETURNS TABLE (opened text[], more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_walk walk;
    v_ver integer;
    v_vers integer[];
    v_end integer;
    v_next integer;
    v_stood text[];
    v_opened smallint[] := '{}';
    v_moved integer := 0;
BEGIN
    IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 20000 THEN
        RAISE EXCEPTION 'between 1 and 20,000 versions at a time' USING ERRCODE = '22023';
    END IF;
    LOCK TABLE abi IN ROW SHARE MODE;
    FOR v_ver IN
        SELECT o.ver_id FROM abi a CROSS JOIN LATERAL (
            (SELECT q.ver_id FROM queue q WHERE q.abi_id = a.abi_id AND q.ready LIMIT p_limit)
            UNION ALL (SELECT q.ver_id FROM queue q WHERE q.abi_id = a.abi_id AND NOT q.ready LIMIT p_limit)
            UNION ALL (SELECT d.ver_id FROM delayed d WHERE d.abi_id = a.abi_id LIMIT p_limit)
        ) AS o
        WHERE a.skip IS NOT NULL ORDER BY o.ver_id LIMIT p_limit
    LOOP
        v_opened := v_opened || _judge(v_ver);
        v_moved := v_moved + 1;
    END LOOP;
    IF v_moved >= p_limit THEN
        RETURN QUERY SELECT _abi_tags(v_opened), true;
        RETURN;
    END IF;
    SELECT * INTO v_walk FROM walk w ORDER BY w.kind LIMIT 1 FOR UPDATE;
    IF NOT FOUND THEN
        RETURN QUERY SELECT _abi_tags(v_opened), false;
        RETURN;
    END IF;
    v_end := (SELECT max(c.ver_id) FROM (
        SELECT s.ver_id FROM vstate s WHERE s.ver_id >= v_walk.next_ver ORDER BY s.ver_id
        -- versions that have nothing to open cost little
        LIMIT CASE v_walk.kind WHEN 'open' THEN 4 * p_limit ELSE p_limit END) AS c);
    IF v_end IS NULL THEN
        DELETE FROM walk w WHERE w.kind = v_walk.kind;
        RETURN QUERY SELECT _abi_tags(v_opened), EXISTS (SELECT FROM walk);
        RETURN;
    END IF;
    v_vers := ARRAY(
        SELECT o.ver_id FROM (
            SELECT s.ver_id FROM vstate s
            WHERE s.ver_id BETWEEN v_walk.next_ver AND v_end AND (v_walk.kind = 'judge' OR (
                NOT s.covered AND NOT s.blocked
                AND NOT EXISTS (SELECT FROM queue q WHERE q.ver_id = s.ver_id)
                AND NOT EXISTS (SELECT FROM delayed d WHERE d.ver_id = s.ver_id)
                AND NOT EXISTS (SELECT FROM lease l WHERE l.ver_id = s.ver_id AND l.ended IS NULL)))
            ORDER BY s.ver_id LIMIT p_limit FOR NO KEY UPDATE
        ) AS o);
    IF v_walk.kind = 'open' THEN
        v_opened := v_opened || _open_many(v_vers);
    ELSE
        v_stood := _standing(v_vers);
        FOREACH v_ver IN ARRAY v_vers LOOP
            v_opened := v_opened || _judge(v_ver);
        END LOOP;
    END IF;
    v_next := 1 + CASE WHEN cardinality(v_vers) >= p_limit THEN v_vers[p_limit] ELSE v_end END;
    UPDATE walk w SET next_ver = v_next WHERE w.kind = v_walk.kind;
    -- As _order_page does, for many at once, and beside the farm's own. Every page has a column for each ABI; by a policy
    -- most versions stand as before.
    INSERT INTO rewrite AS r (kind, pkg_id, ordered_at, bulk)
    SELECT 'project', o.pkg_id, clock_timestamp(), true FROM (
        SELECT DISTINCT v.pkg_id FROM version v
        WHERE v_walk.kind = 'open' AND v.ver_id >= v_walk.next_ver AND v.ver_id < v_next
        UNION
        SELECT v.pkg_id FROM unnest(v_vers, v_stood, _standing(v_vers)) AS s(ver_id, before, after)
        JOIN version v ON v.ver_id = s.ver_id
        WHERE v_walk.kind = 'judge' AND s.before <> s.after
    ) AS o ORDER BY o.pkg_id
    ON CONFLICT (kind, pkg_id) DO UPDATE SET ordered = nextval('rewrite_order_seq');
    RETURN QUERY SELECT _abi_tags(v_opened), true;
END
$$;
