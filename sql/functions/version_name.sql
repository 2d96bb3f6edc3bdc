-- Package and version by the version's number, for people; null where there is none.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.version_name(p_ver integer) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$ SELECT p.name || ' ' || v.version FROM version v JOIN package p ON p.pkg_id = v.pkg_id WHERE v.ver_id = p_ver $$;
