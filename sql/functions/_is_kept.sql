-- Whether something of a package may be in the web tree: files, files that were withdrawn and are just going, builds.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._is_kept(p_pkg integer) RETURNS boolean
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    SELECT EXISTS (SELECT FROM file f WHERE f.pkg_id = p_pkg)
        OR EXISTS (SELECT FROM withdrawn w WHERE w.pkg_id = p_pkg AND w.pending)
        OR EXISTS (SELECT FROM version v JOIN build b ON b.ver_id = v.ver_id WHERE v.pkg_id = p_pkg)
$$;
