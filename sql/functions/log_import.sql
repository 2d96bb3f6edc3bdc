-- The one commit point of an import: package and version where they are missing, build row, files, next ABI, counters, page
-- due. To the farm it is a build that nobody was asked for: what its files serve is not built any more, and a slave that is
-- at it is to be cancelled (`cancelled`). The verdict is `recorded`, or `duplicate` where the same result came before.
-- p_begun is what begin_import said. p_display is the spelling of a package that is new. A version that is new has, as far as
-- is known, no source distribution on the index; the project's page is read for it. `page` as in _page_ordered.sql.
-- The caller has checked and placed the files: from this commit on pages link to them.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.log_import(
    p_build bigint, p_secret bytea, p_begun bigint, p_package text, p_display text, p_version text, p_sort_key bytea,
    p_prerelease boolean, p_abi text, p_by text, p_duration_ms bigint, p_log_bytes bigint,
    p_filenames text[], p_sizes bigint[], p_sha256s bytea[], p_python_tags text[], p_abi_tags text[],
    p_platform_tags text[], p_requires text[], p_metadata bytea[], p_requires_dist text[]
) RETURNS TABLE (verdict text, opened text[], cancelled bigint[], page bigint, new_package boolean, new_version boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_pkg package;
    v_learned record;
    v_lease lease;
    v_abi smallint;
    v_new boolean;
    v_opened smallint[] := '{}';
    v_cancelled bigint[];
BEGIN
    PERFORM _check_token(p_build, p_secret);
    PERFORM _check_result(p_by, 'built', p_duration_ms, p_log_bytes, p_filenames, p_sizes, p_sha256s, p_python_tags,
        p_abi_tags, p_platform_tags, p_requires, p_metadata, p_requires_dist, NULL);
    PERFORM _check_names(ARRAY[p_package], ARRAY[p_display], ARRAY[p_version], ARRAY[p_sort_key]);
    IF p_begun IS NULL OR p_prerelease IS NULL OR p_abi IS NULL OR cardinality(p_filenames) = 0 THEN
        RAISE EXCEPTION 'an import without beginning, ABI or files' USING ERRCODE = '22023';
    END IF;
    LOCK TABLE abi IN ROW SHARE MODE;
    v_abi := _known_abi(p_abi);
    SELECT * INTO v_pkg FROM package p WHERE p.name = p_package;
    v_new := NOT FOUND;
    IF v_new THEN
        v_pkg := _register(p_package, p_display);
    END IF;
    IF EXISTS (SELECT FROM build b WHERE b.build_id = p_build AND b.secret = p_secret) THEN
        RETURN QUERY SELECT 'duplicate', '{}'::text[], '{}'::bigint[], _page_ordered(v_pkg.pkg_id), false, false;
        RETURN;
    END IF;
    SELECT v.ver_id, false AS is_new INTO v_learned FROM version v WHERE v.pkg_id = v_pkg.pkg_id AND v.sort_key = p_sort_key;
    IF NOT FOUND THEN
        SELECT l.ver_id, l.is_new INTO STRICT v_learned FROM _learn(v_pkg.pkg_id,
            (p_version, p_sort_key, p_prerelease, NULL, false, NULL, NULL, NULL, '')::_release) AS l;
        -- whether the index has this release, and has it yanked, stands on a page that nobody has read for it
        UPDATE package p SET etag = NULL, read_due = least(p.read_due, clock_timestamp()) WHERE p.pkg_id = v_pkg.pkg_id;
    END IF;
    -- locks in the order abi, lease, vstate, queue
    PERFORM FROM lease l WHERE l.ver_id = v_learned.ver_id AND l.ended IS NULL ORDER BY l.build_id FOR UPDATE;
    PERFORM FROM vstate s WHERE s.ver_id = v_learned.ver_id FOR NO KEY UPDATE;
    UPDATE version v SET imported = true WHERE v.ver_id = v_learned.ver_id AND NOT v.imported;
    -- as if it had been leased; column by column, for their order differs in a database that was upgraded
    v_lease.build_id := p_build;
    v_lease.ver_id := v_learned.ver_id;
    v_lease.abi_id := v_abi;
    v_lease.attempt := 1;
    v_lease.secret := p_secret;
    PERFORM _record(v_lease, p_by, 'built', p_duration_ms, p_log_bytes, NULL);
    PERFORM _publish(p_build, v_pkg.pkg_id, v_learned.ver_id, to_timestamp(p_begun / 1000000.0), p_filenames, p_sizes,
        p_sha256s, p_python_tags, p_abi_tags, p_platform_tags, p_requires, p_metadata, p_requires_dist);
    UPDATE vstate s SET done = _done(s.ver_id), covered = c.covered, abi3_from = c.abi3_from
    FROM _coverage(v_learned.ver_id) AS c WHERE s.ver_id = v_learned.ver_id;
    WITH stopped AS (
        UPDATE lease l SET ended = 'superseded', ended_at = clock_timestamp()
        WHERE l.ver_id = v_learned.ver_id AND l.ended IS NULL
            AND ((SELECT s.covered FROM vstate s WHERE s.ver_id = l.ver_id)
                OR NOT (SELECT t.open FROM target t WHERE t.ver_id = l.ver_id AND t.abi_id = l.abi_id))
        RETURNING l.build_id
    )
    SELECT coalesce(array_agg(o.build_id ORDER BY o.build_id), '{}') INTO v_cancelled FROM stopped o;
    v_opened := v_opened || _judge(v_learned.ver_id);
    IF (SELECT s.deps FROM vstate s WHERE s.ver_id = v_learned.ver_id) THEN
        PERFORM _want_requirements(v_learned.ver_id);
    END IF;
    PERFORM _show(v_pkg.pkg_id);
    RETURN QUERY SELECT 'recorded', _abi_tags(array_remove(v_opened, NULL)), v_cancelled, _page_ordered(v_pkg.pkg_id), v_new,
        v_learned.is_new;
END
$$;
