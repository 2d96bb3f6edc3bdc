-- Brings a version's state in line with what the tables say of it (views/judgement.sql): whether something speaks against building it, its
-- priority, what it waits for. Returns the ABI whose queue got it, if one did. Changes nothing where nothing changed.
-- The caller holds ROW SHARE on abi.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._judge(p_ver integer) RETURNS smallint
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
DECLARE
    v_state vstate;
    v_blocked boolean;
    v_prio bigint;
BEGIN
    SELECT * INTO v_state FROM vstate s WHERE s.ver_id = p_ver FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    SELECT j.why_not IS NOT NULL, j.prio INTO v_blocked, v_prio FROM judgement j WHERE j.ver_id = p_ver;
    IF v_state.blocked <> v_blocked OR v_state.prio <> v_prio THEN
        UPDATE vstate s SET blocked = v_blocked, prio = v_prio WHERE s.ver_id = p_ver;
        IF v_blocked AND v_state.deps THEN
            PERFORM _want_requirements(p_ver);
        END IF;
    END IF;
    UPDATE queue q SET prio = v_prio, ready = v_state.checked
    WHERE q.ver_id = p_ver AND (q.prio <> v_prio OR q.ready <> v_state.checked);
    UPDATE delayed d SET prio = v_prio WHERE d.ver_id = p_ver AND d.prio <> v_prio;
    RETURN _open_next(p_ver);
END
$$;
