-- The requirements of a version's wheels are wanted: the master works out what they are, if there are wheels.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._want_requirements(p_ver integer) RETURNS void
LANGUAGE sql SET search_path = piw, pg_temp
AS $$
    INSERT INTO deps_due (ver_id) SELECT f.ver_id FROM file f WHERE f.ver_id = p_ver LIMIT 1 ON CONFLICT DO NOTHING
$$;
