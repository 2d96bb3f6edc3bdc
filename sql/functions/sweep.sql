-- The regular round: ends leases that ran out and queues their versions again, moves what is due into the queue,
-- forgets leases that ended a week ago, folds the counters. At most 500 of each; `more` says that a limit was met.
-- Trouble with the counters is a warning in the server's log: no lease may wait for them.
--   builds, slaves, versions  the leases that ran out: number, slave, package and version
--   opened                    ABIs whose queues got something
-- A lost attempt is queued again at once the first time, then after 60, 120 and 240 seconds (_back_off.sql); the fifth
-- is recorded as lost-slave, and the next ABI opens: a build that takes its boards down must end somewhere.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.sweep()
RETURNS TABLE (builds bigint[], slaves text[], versions text[], opened text[], more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    c_limit CONSTANT integer := 500;
    v_now timestamptz := clock_timestamp();
    v_lease lease;
    v_builds bigint[] := '{}';
    v_slaves text[] := '{}';
    v_versions text[] := '{}';
    v_opened smallint[] := '{}';
    v_lost integer[] := '{}';
    v_ver integer;
    v_due integer := 0;
BEGIN
    LOCK TABLE abi IN ROW SHARE MODE;
    -- One sweep at a time: two would take the locks of many versions in different orders.
    PERFORM pg_advisory_xact_lock('lease'::regclass::oid::integer, 1);
    -- A lease that is locked is being renewed or reported this moment: not lost.
    FOR v_lease IN
        SELECT * FROM lease l WHERE l.ended IS NULL AND l.expires_at <= v_now
        ORDER BY l.expires_at LIMIT c_limit FOR UPDATE SKIP LOCKED
    LOOP
        PERFORM FROM vstate s WHERE s.ver_id = v_lease.ver_id FOR NO KEY UPDATE;
        UPDATE lease l SET ended = 'expired', ended_at = v_now WHERE l.build_id = v_lease.build_id;
        IF _settles('lost-slave', v_lease.attempt) THEN
            PERFORM _record(v_lease, v_lease.slave, 'lost-slave',
                greatest(0, extract(epoch FROM v_lease.expires_at - v_lease.claimed_at) * 1000)::bigint, 0, NULL);
            UPDATE vstate s SET done = s.done | (1::bigint << v_lease.abi_id) WHERE s.ver_id = v_lease.ver_id;
            v_opened := v_opened || _open_next(v_lease.ver_id);
        ELSE
            v_opened := v_opened || _requeue(v_lease.ver_id, v_lease.abi_id, v_lease.attempt + 1,
                CASE WHEN v_lease.attempt > 1 THEN v_now + _back_off('lost-slave', v_lease.attempt) END);
        END IF;
        v_lost := v_lost || v_lease.ver_id;
        v_builds := v_builds || v_lease.build_id;
        v_slaves := v_slaves || v_lease.slave;
        v_versions := v_versions || (SELECT p.name || ' ' || v.version FROM version v JOIN package p USING (pkg_id)
            WHERE v.ver_id = v_lease.ver_id);
    END LOOP;

    -- The vstate row is locked before deciding: whoever blocks or settles the version holds it.
    FOR v_ver IN
        SELECT d.ver_id FROM delayed d WHERE d.due <= v_now ORDER BY d.due LIMIT c_limit
    LOOP
        v_due := v_due + 1;
        PERFORM FROM vstate s WHERE s.ver_id = v_ver FOR NO KEY UPDATE;
        WITH due AS (
            DELETE FROM delayed d WHERE d.ver_id = v_ver AND d.due <= v_now RETURNING d.*
        ), moved AS (
            INSERT INTO queue (ver_id, abi_id, prio, attempt, ready)
            SELECT due.ver_id, due.abi_id, due.prio, due.attempt, s.checked FROM due JOIN vstate s USING (ver_id)
            RETURNING abi_id
        )
        SELECT v_opened || coalesce(array_agg(moved.abi_id), '{}') INTO v_opened FROM moved;
    END LOOP;

    DELETE FROM lease l WHERE l.build_id IN (
        SELECT o.build_id FROM lease o WHERE o.ended IS NOT NULL AND o.ended_at < v_now - interval '7 days'
        ORDER BY o.ended_at LIMIT c_limit FOR UPDATE SKIP LOCKED);
    PERFORM _order_pages(ARRAY(SELECT v.pkg_id FROM version v WHERE v.ver_id = ANY (v_lost)));
    BEGIN
        PERFORM _fold_stats();
    EXCEPTION WHEN OTHERS THEN
        RAISE WARNING 'the counters were not folded: %', SQLERRM;
    END;
    RETURN QUERY SELECT v_builds, v_slaves, v_versions,
        ARRAY(SELECT a.tag FROM abi a WHERE a.abi_id = ANY (v_opened) ORDER BY a.rank),
        cardinality(v_builds) >= c_limit OR v_due >= c_limit;
END
$$;
