-- A project's page was read and speaks for its versions: those that wait may be handed out, except ones that are too new
-- (the policy 'cooldown'), which wait for their time and are looked at again then. What people asked for does not wait.
-- What waited because the page could not be read waits no longer.
-- Returns the ABIs whose queues have something now that may be handed out.
-- The caller holds ROW SHARE on abi.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._page_read(p_pkg integer) RETURNS smallint[]
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
DECLARE
    v_opened smallint[] := '{}';
    v_cooldown interval := make_interval(secs => (SELECT o.cooldown FROM setting o));
    v_ver record;
BEGIN
    FOR v_ver IN
        SELECT s.ver_id, v.released + v_cooldown AS due, s.asked FROM version v JOIN vstate s ON s.ver_id = v.ver_id
        WHERE v.pkg_id = p_pkg AND NOT s.checked ORDER BY s.ver_id
    LOOP
        PERFORM FROM vstate s WHERE s.ver_id = v_ver.ver_id FOR NO KEY UPDATE;
        IF v_ver.asked IS NULL AND v_ver.due > clock_timestamp() AND v_cooldown > interval '0' THEN
            WITH young AS (DELETE FROM queue q WHERE q.ver_id = v_ver.ver_id RETURNING q.*)
            INSERT INTO delayed (ver_id, abi_id, prio, attempt, due, why)
            SELECT y.ver_id, y.abi_id, y.prio, y.attempt, v_ver.due, 'cooldown' FROM young y;
            CONTINUE;
        END IF;
        UPDATE vstate s SET checked = true WHERE s.ver_id = v_ver.ver_id;
        WITH back AS (DELETE FROM delayed d WHERE d.ver_id = v_ver.ver_id AND d.why = 'page' RETURNING d.*)
        INSERT INTO queue (ver_id, abi_id, prio, attempt, ready)
        SELECT b.ver_id, b.abi_id, b.prio, b.attempt, true FROM back b;
        PERFORM _judge(v_ver.ver_id);
        v_opened := v_opened || ARRAY(SELECT q.abi_id FROM queue q WHERE q.ver_id = v_ver.ver_id);
    END LOOP;
    RETURN v_opened;
END
$$;
