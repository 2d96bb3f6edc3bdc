-- Judges every version of a package. Returns the ABIs whose queues got something.
-- The caller holds ROW SHARE on abi.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._judge_package(p_pkg integer) RETURNS smallint[]
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
DECLARE
    v_opened smallint[] := '{}';
    v_ver integer;
BEGIN
    FOR v_ver IN SELECT v.ver_id FROM version v WHERE v.pkg_id = p_pkg ORDER BY v.ver_id LOOP
        v_opened := v_opened || _judge(v_ver);
    END LOOP;
    RETURN array_remove(v_opened, NULL);
END
$$;
