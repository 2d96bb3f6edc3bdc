-- What the index says of one release: registers it where it is not known, brings its row up to date where it differs.
-- `changed` where anything did; then the caller judges it, and orders the page at the end of its transaction.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._learn(p_pkg integer, p_release piw._release)
RETURNS TABLE (ver_id integer, is_new boolean, changed boolean)
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_version version;
    v_tags text[] := coalesce(string_to_array(nullif(p_release.tags, ''), ' '), '{}');
BEGIN
    SELECT * INTO v_version FROM version v WHERE v.pkg_id = p_pkg AND v.sort_key = p_release.sort_key;
    IF NOT FOUND THEN
        INSERT INTO version (pkg_id, version, sort_key, released, yanked, prerelease, sdist, pythons, pure, tags)
        VALUES (p_pkg, p_release.version, p_release.sort_key, p_release.released, p_release.yanked,
            p_release.prerelease, p_release.sdist, p_release.pythons, p_release.pure, v_tags)
        ON CONFLICT (pkg_id, sort_key) DO NOTHING
        RETURNING * INTO v_version;
        IF FOUND THEN
            INSERT INTO vstate (ver_id, prio, blocked) VALUES (v_version.ver_id, 0, true);
            INSERT INTO stat_delta (kind, n, amount) VALUES ('version', 1, 0);
            RETURN QUERY SELECT v_version.ver_id, true, true;
            RETURN;
        END IF;
        -- another transaction was faster
        SELECT * INTO STRICT v_version FROM version v WHERE v.pkg_id = p_pkg AND v.sort_key = p_release.sort_key;
    END IF;
    UPDATE version v SET released = coalesce(p_release.released, v.released), yanked = p_release.yanked,
        sdist = p_release.sdist, removed_at = NULL, pythons = p_release.pythons, pure = p_release.pure, tags = v_tags
    WHERE v.ver_id = v_version.ver_id
        AND (v.yanked, v.sdist, v.removed_at, v.pythons, v.pure, v.tags, v.released)
            IS DISTINCT FROM (p_release.yanked, p_release.sdist, NULL::timestamptz, p_release.pythons, p_release.pure,
                v_tags, coalesce(p_release.released, v.released));
    IF NOT FOUND THEN
        RETURN QUERY SELECT v_version.ver_id, false, false;
        RETURN;
    END IF;
    RETURN QUERY SELECT v_version.ver_id, false, true;
END
$$;
