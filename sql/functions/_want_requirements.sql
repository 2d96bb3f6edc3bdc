-- The requirements of a version's wheels are wanted: the master works out what they are, if there are wheels of the farm,
-- or if nothing is built because the index has one for everybody.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._want_requirements(p_ver integer) RETURNS void
LANGUAGE sql SET search_path = piw, pg_temp
AS $$
    INSERT INTO deps_due (ver_id)
    SELECT s.ver_id FROM vstate s JOIN version v ON v.ver_id = s.ver_id
    WHERE s.ver_id = p_ver AND (EXISTS (SELECT FROM file f WHERE f.ver_id = p_ver) OR (s.blocked AND v.pure IS NOT NULL))
    ON CONFLICT (ver_id) DO UPDATE SET turn = DEFAULT
$$;
