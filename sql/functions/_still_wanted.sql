-- Whether the result of a lease that ended is still wanted. It is when the job waits for somebody again (it is taken
-- out of the queue then), when another slave is building it (whose lease is ended: the first result wins), or when
-- nobody has built it since. It is not when another slave's result came first or a wheel that was built meanwhile
-- serves this ABI, or when files were published under the names that its own would have (_build_tag.sql): what waits then is
-- to be built anew; a failure that was the board's or the moment's (_settles.sql) came first of nothing. Such a failure, or
-- a cancelled build (p_lost), ends no other slave's lease. Asked of results only that settle the ABI.
-- The caller holds the locks of the lease and of the vstate row.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._still_wanted(p_lease piw.lease, p_lost boolean) RETURNS boolean
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
DECLARE
    v_state vstate;
    v_waited boolean;
BEGIN
    IF p_lease.build_tag < _build_tag(p_lease.ver_id, p_lease.abi_id) THEN
        RETURN false;
    END IF;
    -- Deleting comes first: a claim in flight has either the row or, once it is committed, the lease found below.
    DELETE FROM queue q WHERE q.ver_id = p_lease.ver_id AND q.abi_id = p_lease.abi_id;
    v_waited := FOUND;
    DELETE FROM delayed d WHERE d.ver_id = p_lease.ver_id AND d.abi_id = p_lease.abi_id;
    IF v_waited OR FOUND THEN
        RETURN true;
    END IF;
    IF EXISTS (SELECT FROM lease l
        WHERE l.ver_id = p_lease.ver_id AND l.abi_id = p_lease.abi_id AND l.ended IS NULL)
    THEN
        IF p_lost THEN
            RETURN false;
        END IF;
        UPDATE lease l SET ended = 'superseded', ended_at = clock_timestamp()
        WHERE l.ver_id = p_lease.ver_id AND l.abi_id = p_lease.abi_id AND l.ended IS NULL;
        RETURN true;
    END IF;
    SELECT * INTO STRICT v_state FROM vstate s WHERE s.ver_id = p_lease.ver_id;
    IF v_state.covered
        OR (SELECT _abi3_serves(v_state.abi3_from, a) FROM abi a WHERE a.abi_id = p_lease.abi_id)
    THEN
        RETURN false;
    END IF;
    RETURN (v_state.done >> p_lease.abi_id) & 1 = 0
        OR NOT EXISTS (SELECT FROM build b WHERE b.ver_id = p_lease.ver_id AND b.abi_id = p_lease.abi_id
            AND b.outcome <> 'cancelled' AND NOT b.void AND _settles(b.outcome, 1::smallint));
END
$$;
