-- Somebody asked for a version: it is judged, moves to where it belongs if it waits, and is queued again where its build
-- was cancelled; says how it stands (see add_versions). p_asked is the order of asking; what was asked for earlier keeps
-- that place. Its page has just been read: nothing else is waited for.
-- The caller holds ROW SHARE on abi.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._ask_again(p_ver integer, p_asked bigint, p_deps boolean)
RETURNS TABLE (state text, queued_for text, reason text)
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
DECLARE
    v_state vstate;
    v_reason text;
BEGIN
    SELECT * INTO STRICT v_state FROM vstate s WHERE s.ver_id = p_ver FOR NO KEY UPDATE;
    -- what the administrator cancelled is built again: its old attempts settle nothing any more
    PERFORM _void(p_ver, NULL, ARRAY['cancelled']);
    UPDATE vstate s SET asked = least(s.asked, p_asked), deps = s.deps OR p_deps, checked = true WHERE s.ver_id = p_ver;
    WITH due AS (DELETE FROM delayed d WHERE d.ver_id = p_ver RETURNING d.abi_id, d.attempt)
    INSERT INTO queue (ver_id, abi_id, prio, attempt, ready)
    SELECT p_ver, due.abi_id, v_state.prio, due.attempt, true FROM due;
    PERFORM _judge(p_ver);
    SELECT * INTO STRICT v_state FROM vstate s WHERE s.ver_id = p_ver;
    IF v_state.deps THEN
        PERFORM _want_requirements(p_ver);
    END IF;
    RETURN QUERY SELECT 'queued', a.tag, NULL::text FROM queue q JOIN abi a USING (abi_id) WHERE q.ver_id = p_ver;
    IF FOUND THEN
        RETURN;
    END IF;
    v_reason := CASE WHEN v_state.blocked THEN (SELECT j.why_not FROM judgement j WHERE j.ver_id = p_ver) END;
    RETURN QUERY SELECT CASE
        WHEN EXISTS (SELECT FROM lease l WHERE l.ver_id = p_ver AND l.ended IS NULL) THEN 'building'
        WHEN EXISTS (SELECT FROM file f WHERE f.ver_id = p_ver) THEN 'built'
        WHEN v_reason IS NOT NULL THEN 'skipped'
        WHEN v_state.done <> 0 THEN 'failed'
        -- there is no ABI to build it for yet
        ELSE 'queued'
    END, NULL::text, v_reason;
END
$$;
