-- Puts a version whose lease has just ended back into the queue of an ABI, or into `delayed` when p_due says a moment;
-- where the ABI is no longer wanted, opens what is instead. Returns the ABI whose queue got the version, if one did.
-- The caller holds ROW SHARE on abi and the lock of the version's vstate row.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._requeue(p_ver integer, p_abi smallint, p_attempt integer, p_due timestamptz) RETURNS smallint
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
DECLARE
    v_state vstate;
BEGIN
    SELECT * INTO STRICT v_state FROM vstate s WHERE s.ver_id = p_ver;
    IF v_state.covered OR v_state.blocked
        OR NOT (SELECT t.open FROM target t WHERE t.ver_id = p_ver AND t.abi_id = p_abi)
    THEN
        RETURN _open_next(p_ver);
    END IF;
    IF p_due IS NOT NULL THEN
        INSERT INTO delayed (ver_id, abi_id, prio, attempt, due) VALUES (p_ver, p_abi, v_state.prio, p_attempt, p_due);
        RETURN NULL;
    END IF;
    INSERT INTO queue (ver_id, abi_id, prio, attempt, ready)
    VALUES (p_ver, p_abi, v_state.prio, p_attempt, v_state.checked);
    RETURN p_abi;
END
$$;
