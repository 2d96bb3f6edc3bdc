-- Brings a version's open rows in line with its state and returns the ABI whose queue got it, if one did and it may be
-- handed out. Removes what
-- waits for ABIs that are settled or that something speaks against; when nothing is open then, queues the lowest ABI
-- by rank that is still to be built for (views/target.sql). A slave that is building is left to finish.
-- The caller holds ROW SHARE on abi (or no ABI could be added unseen) and the lock of the version's vstate row.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._open_next(p_ver integer) RETURNS smallint
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
DECLARE
    v_state vstate;
    v_closed boolean;
    v_abi smallint;
BEGIN
    SELECT * INTO STRICT v_state FROM vstate s WHERE s.ver_id = p_ver;
    v_closed := v_state.covered OR v_state.blocked;
    DELETE FROM queue q WHERE q.ver_id = p_ver AND (v_closed
        OR NOT (SELECT t.open FROM target t WHERE t.ver_id = p_ver AND t.abi_id = q.abi_id));
    DELETE FROM delayed d WHERE d.ver_id = p_ver AND (v_closed
        OR NOT (SELECT t.open FROM target t WHERE t.ver_id = p_ver AND t.abi_id = d.abi_id));
    IF v_closed
        OR EXISTS (SELECT FROM queue q WHERE q.ver_id = p_ver)
        OR EXISTS (SELECT FROM delayed d WHERE d.ver_id = p_ver)
        OR EXISTS (SELECT FROM lease l WHERE l.ver_id = p_ver AND l.ended IS NULL)
    THEN
        RETURN NULL;
    END IF;
    SELECT t.abi_id INTO v_abi FROM target t WHERE t.ver_id = p_ver AND t.open ORDER BY t.rank LIMIT 1;
    IF FOUND THEN
        INSERT INTO queue (ver_id, abi_id, prio, attempt, ready)
        VALUES (p_ver, v_abi, v_state.prio, 1, v_state.checked);
    END IF;
    RETURN CASE WHEN v_state.checked THEN v_abi END;
END
$$;
