-- Recomputes the priorities of a package's versions that wait for something: its popularity changed. The others get theirs
-- when they are next judged; until then the audit passes them over, because nothing waits by them.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._reprioritise(p_pkg integer) RETURNS void
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
DECLARE
    v_ver integer;
BEGIN
    LOCK TABLE abi IN ROW SHARE MODE;
    FOR v_ver IN
        SELECT v.ver_id FROM version v JOIN vstate s ON s.ver_id = v.ver_id
        WHERE v.pkg_id = p_pkg AND NOT s.blocked AND NOT s.covered ORDER BY v.ver_id
    LOOP
        PERFORM _judge(v_ver);
    END LOOP;
END
$$;
