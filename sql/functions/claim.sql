-- Leases the best job of an ABI to a slave: of a class from p_class on (views/judgement.sql) if there is one, else of any; no row when there is none (or no such ABI, or a skipped one). The same
-- secret gets the same job again, as long as its lease lives. Two callers never get one job: the queue row is locked
-- and deleted, and the lease is unique beside.
-- `build_tag` is what the wheels' names are to have (_build_tag.sql), 0 for none; it stays the lease's.
-- What was not checked yet (vstate.checked) is handed out to nobody.
-- Costs two index look-ups, three with a class, whatever the queue's length; the planner is held to them, because statistics taken of a
-- nearly empty queue would tempt it to scan and sort. The commit need not reach the disk: a lost claim costs one
-- repeated build, under another number.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.claim(p_abi text, p_slave text, p_secret bytea, p_lease_secs integer, p_class smallint)
RETURNS TABLE (build_id bigint, package text, version text, attempt smallint, build_tag bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $$
#variable_conflict use_column
DECLARE
    v_abi smallint;
    v_from bigint;
    v_job queue;
    v_lease lease;
    v_now timestamptz := clock_timestamp();
BEGIN
    IF coalesce(p_abi, '') = '' THEN
        RAISE EXCEPTION 'the ABI is empty' USING ERRCODE = '22023';
    END IF;
    IF p_class IS NULL OR p_class NOT BETWEEN 0 AND 4 THEN
        RAISE EXCEPTION 'a class is between 0 and 4' USING ERRCODE = '22023';
    END IF;
    PERFORM _check_token(1, p_secret);
    PERFORM _check_lease(p_slave, p_lease_secs);
    PERFORM set_config('synchronous_commit', 'off', true);

    -- A caller whose connection broke may ask again while its first call still runs.
    PERFORM pg_advisory_xact_lock(('x' || encode(substr(p_secret, 1, 8), 'hex'))::bit(64)::bigint);
    SELECT * INTO v_lease FROM lease l WHERE l.secret = p_secret;
    IF FOUND AND v_lease.ended IS NOT NULL THEN
        RAISE EXCEPTION 'the lease with this secret has ended' USING ERRCODE = '22023';
    ELSIF NOT FOUND THEN
        SELECT a.abi_id INTO v_abi FROM abi a WHERE a.tag = p_abi AND a.skip IS NULL;
        IF NOT FOUND THEN
            RETURN;
        END IF;
        v_from := p_class::bigint << 48;
        LOOP
            SELECT * INTO v_job FROM queue q WHERE q.abi_id = v_abi AND q.ready AND q.prio >= v_from
            ORDER BY q.prio, q.ver_id LIMIT 1 FOR UPDATE SKIP LOCKED;
            EXIT WHEN FOUND;
            IF v_from = 0 THEN
                RETURN;
            END IF;
            v_from := 0;
        END LOOP;
        DELETE FROM queue q WHERE q.ver_id = v_job.ver_id AND q.abi_id = v_job.abi_id;
        IF NOT EXISTS (SELECT FROM uncrashed u WHERE u.id = 1) THEN
            PERFORM _skip_lost_numbers();
        END IF;
        INSERT INTO lease (ver_id, abi_id, attempt, slave, secret, claimed_at, expires_at, build_tag)
        VALUES (v_job.ver_id, v_job.abi_id, v_job.attempt, p_slave, p_secret, v_now,
            v_now + make_interval(secs => p_lease_secs), _build_tag(v_job.ver_id, v_job.abi_id))
        RETURNING * INTO v_lease;
    END IF;
    RETURN QUERY
        SELECT v_lease.build_id, p.name, v.version, v_lease.attempt, v_lease.build_tag
        FROM version v JOIN package p ON p.pkg_id = v.pkg_id
        WHERE v.ver_id = v_lease.ver_id;
END
$$;
