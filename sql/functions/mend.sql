-- Brings what is kept for speed in line with what it follows from, where audit() finds that it is not: at most p_limit
-- versions a call, all packages and counters. Returns how many things were mended; 0 when there was nothing left to do.
-- Builds, files, leases and what the operator or the index said are never changed. Scans everything, as audit() does.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.mend(p_limit integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_ver integer;
    v_pkg integer;
    v_mended bigint := 0;
    v_rows bigint;
BEGIN
    IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 100000 THEN
        RAISE EXCEPTION 'between 1 and 100,000 versions at a time' USING ERRCODE = '22023';
    END IF;
    LOCK TABLE abi IN ROW SHARE MODE;
    FOR v_pkg IN
        SELECT p.pkg_id FROM package p
        WHERE p.newest IS DISTINCT FROM (
            SELECT v.ver_id FROM version v
            WHERE v.pkg_id = p.pkg_id AND v.sdist AND v.removed_at IS NULL AND v.yanked IS NULL AND v.skip IS NULL
            ORDER BY v.prerelease, v.sort_key DESC LIMIT 1)
    LOOP
        PERFORM _renew_newest(v_pkg);
        v_mended := v_mended + 1;
    END LOOP;
    INSERT INTO vstate (ver_id, prio, blocked)
    SELECT v.ver_id, 0, true FROM version v WHERE NOT EXISTS (SELECT FROM vstate s WHERE s.ver_id = v.ver_id)
    LIMIT p_limit;
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    v_mended := v_mended + v_rows;
    FOR v_ver IN SELECT DISTINCT a.ver_id FROM audit() a WHERE a.ver_id > 0 ORDER BY a.ver_id LIMIT p_limit LOOP
        PERFORM _mend_version(v_ver);
        v_mended := v_mended + 1;
    END LOOP;
    FOR v_pkg IN
        SELECT p.pkg_id FROM package p
        WHERE p.published <> (p.status <> 'quarantined' AND EXISTS (
            SELECT FROM file f WHERE f.pkg_id = p.pkg_id AND f.withheld IS NULL))
    LOOP
        PERFORM _show(v_pkg);
        v_mended := v_mended + 1;
    END LOOP;
    RETURN v_mended + _recount();
END
$$;
