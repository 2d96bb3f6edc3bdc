-- Finds a package's newest version anew, and judges it and the one that was it before, whose class changes with that.
-- Final releases come before pre-releases; what is removed, yanked or skipped, or has no source distribution, does not count.
-- Where pre-releases become, or cease to be, all that there is, every version is judged.
-- The caller holds ROW SHARE on abi. Returns the ABIs whose queues got something.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._renew_newest(p_pkg integer) RETURNS smallint[]
LANGUAGE plpgsql SET search_path = piw, pg_temp
-- the index has the order, whatever the statistics say of a table that is being filled
SET enable_bitmapscan = off
AS $$
DECLARE
    v_before integer;
    v_newest integer;
    v_opened smallint[] := '{}';
    v_ver integer;
BEGIN
    SELECT p.newest INTO v_before FROM package p WHERE p.pkg_id = p_pkg;
    -- in two steps, each of which ends at the first row that fits: some packages have thousands of versions
    v_newest := coalesce(
        (SELECT v.ver_id FROM version v
            WHERE v.pkg_id = p_pkg AND NOT v.prerelease
                AND v.sdist AND v.removed_at IS NULL AND v.yanked IS NULL AND v.skip IS NULL
            ORDER BY v.sort_key DESC LIMIT 1),
        (SELECT v.ver_id FROM version v
            WHERE v.pkg_id = p_pkg AND v.prerelease
                AND v.sdist AND v.removed_at IS NULL AND v.yanked IS NULL AND v.skip IS NULL
            ORDER BY v.sort_key DESC LIMIT 1));
    IF v_before IS NOT DISTINCT FROM v_newest THEN
        RETURN v_opened;
    END IF;
    UPDATE package p SET newest = v_newest WHERE p.pkg_id = p_pkg;
    FOR v_ver IN
        SELECT v.ver_id FROM version v
        WHERE v.pkg_id = p_pkg AND (v.ver_id IN (v_before, v_newest)
            OR (v.prerelease AND (SELECT n.prerelease FROM version n WHERE n.ver_id = v_before)
                IS DISTINCT FROM (SELECT n.prerelease FROM version n WHERE n.ver_id = v_newest)))
        ORDER BY v.ver_id
    LOOP
        v_opened := v_opened || _judge(v_ver);
    END LOOP;
    RETURN array_remove(v_opened, NULL);
END
$$;
