-- A project's page was read: the truth about its releases. Versions that are known and not on it are removed, with their
-- files, unless the operator imported them; those that are marked `wanted` are registered where they are new. Everything else is brought up to date, and
-- what waits may be handed out (_page_read.sql). p_next_secs: when the page is to be read again, null for no need.
-- p_whole is false where the page had more releases than are looked at: nothing is removed then.
-- A page older than the newest event that is known (p_serial, null where the index names none) is refused: not believed.
-- Returns the ABIs whose queues have something to hand out now, builds to be cancelled, and how many versions are new.
-- At most 10,000 releases.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.learn_page(
    p_name text, p_display text, p_status text, p_status_reason text, p_serial bigint, p_etag text, p_whole boolean,
    p_next_secs integer, p_versions text[], p_sort_keys bytea[], p_prerelease boolean[], p_released bigint[],
    p_sdists boolean[], p_yanked text[], p_pythons bigint[], p_pure text[], p_tags text[], p_wanted boolean[]
) RETURNS TABLE (opened text[], cancelled bigint[], registered integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_count integer := cardinality(p_versions);
    v_pkg package;
    v_before package;
    v_told boolean := false;
    v_r record;
    v_learned record;
    v_known boolean;
    v_opened smallint[] := '{}';
    v_new integer := 0;
    v_fresh integer[] := '{}';
    v_withdrawn boolean := false;
BEGIN
    IF v_count IS NULL OR v_count > 10000 OR NOT coalesce(v_count = ALL (ARRAY[cardinality(p_sort_keys),
        cardinality(p_prerelease), cardinality(p_released), cardinality(p_sdists), cardinality(p_yanked),
        cardinality(p_pythons), cardinality(p_pure), cardinality(p_tags), cardinality(p_wanted)]), false)
    THEN
        RAISE EXCEPTION 'more than 10,000 releases, or lists of different lengths' USING ERRCODE = '22023';
    END IF;
    PERFORM _check_names(ARRAY[p_name], ARRAY[p_display], ARRAY['1'], ARRAY['\x01'::bytea]);
    PERFORM _check_names(array_fill(p_name, ARRAY[v_count]), array_fill(p_display, ARRAY[v_count]), p_versions,
        p_sort_keys);
    IF p_status IS NULL OR p_status NOT IN ('active', 'archived', 'deprecated', 'quarantined') OR p_whole IS NULL
        OR p_next_secs NOT BETWEEN 1 AND 31536000 OR p_serial < 0 OR array_position(p_prerelease, NULL) IS NOT NULL
        OR array_position(p_sdists, NULL) IS NOT NULL OR array_position(p_wanted, NULL) IS NOT NULL
        OR 0 > ANY (p_pythons)
    THEN
        RAISE EXCEPTION 'a page without status, or a release that says too little' USING ERRCODE = '22023';
    END IF;
    LOCK TABLE abi IN ROW SHARE MODE;
    SELECT * INTO v_pkg FROM package p WHERE p.name = p_name;
    IF v_pkg.serial > p_serial THEN
        RAISE EXCEPTION 'the page of % is older than what is known of it', p_name USING ERRCODE = '22023';
    END IF;
    v_before := v_pkg;
    v_pkg := _register(p_name, p_display);
    UPDATE package p SET status = p_status, status_reason = left(p_status_reason, 1000), removed_at = NULL,
        missing_since = NULL, serial = greatest(p.serial, p_serial), page_serial = coalesce(p_serial, p.page_serial),
        etag = left(p_etag, 1000), read_at = clock_timestamp(), fails = 0,
        read_due = clock_timestamp() + make_interval(secs => p_next_secs)
    WHERE p.pkg_id = v_pkg.pkg_id;
    FOR v_r IN
        SELECT u.* FROM unnest(p_versions, p_sort_keys, p_prerelease, p_released, p_sdists, p_yanked, p_pythons, p_pure,
            p_tags, p_wanted)
            AS u(version, sort_key, prerelease, released, sdist, yanked, pythons, pure, tags, wanted)
        ORDER BY u.sort_key
    LOOP
        v_known := EXISTS (SELECT FROM version v WHERE v.pkg_id = v_pkg.pkg_id AND v.sort_key = v_r.sort_key);
        CONTINUE WHEN NOT v_known AND NOT v_r.wanted;
        SELECT * INTO v_learned FROM _learn(v_pkg.pkg_id, (v_r.version, v_r.sort_key, v_r.prerelease,
            to_timestamp(v_r.released), v_r.sdist, v_r.yanked, v_r.pythons, v_r.pure, v_r.tags)::_release);
        v_told := v_told OR v_learned.changed;
        IF v_learned.is_new THEN
            v_new := v_new + 1;
            UPDATE version v SET fresh = v.released > clock_timestamp() - interval '30 days'
            WHERE v.ver_id = v_learned.ver_id;
            -- with its requirements, where somebody wished for new releases with theirs
            UPDATE vstate s SET checked = false,
                deps = EXISTS (SELECT FROM wish w WHERE w.pkg_id = v_pkg.pkg_id AND w.deps)
            WHERE s.ver_id = v_learned.ver_id;
            v_fresh := v_fresh || v_learned.ver_id;
        ELSIF v_learned.changed THEN
            v_opened := v_opened || _judge(v_learned.ver_id);
        END IF;
    END LOOP;
    IF p_whole THEN
        FOR v_r IN
            SELECT v.ver_id, v.imported FROM version v
            WHERE v.pkg_id = v_pkg.pkg_id AND v.sort_key <> ALL (p_sort_keys)
                AND (v.removed_at IS NULL
                    OR (NOT v.imported AND EXISTS (SELECT FROM file f WHERE f.ver_id = v.ver_id)))
            ORDER BY v.ver_id
        LOOP
            UPDATE version v SET removed_at = coalesce(v.removed_at, clock_timestamp()) WHERE v.ver_id = v_r.ver_id;
            IF NOT v_r.imported THEN
                PERFORM _withdraw(v_r.ver_id, 'the index has removed the release');
                v_withdrawn := true;
            END IF;
            v_opened := v_opened || _judge(v_r.ver_id);
        END LOOP;
    END IF;
    IF v_before.status IS DISTINCT FROM p_status OR v_pkg.removed_at IS NOT NULL OR v_pkg.missing_since IS NOT NULL THEN
        v_opened := v_opened || _judge_package(v_pkg.pkg_id);
    END IF;
    v_opened := v_opened || _renew_newest(v_pkg.pkg_id) || _page_read(v_pkg.pkg_id);
    PERFORM _want_requirements(s.ver_id) FROM vstate s WHERE s.ver_id = ANY (v_fresh) AND s.deps;
    IF v_told OR v_withdrawn OR v_before.missing_since IS NOT NULL OR v_before.removed_at IS NOT NULL
        OR (v_before.status, v_before.status_reason) IS DISTINCT FROM (p_status, left(p_status_reason, 1000))
    THEN
        PERFORM _order_page(v_pkg.pkg_id);
    END IF;
    IF v_withdrawn OR v_before.status IS DISTINCT FROM p_status THEN
        PERFORM _show(v_pkg.pkg_id) WHERE v_pkg.published
            OR EXISTS (SELECT FROM file f WHERE f.pkg_id = v_pkg.pkg_id);
    END IF;
    RETURN QUERY SELECT _abi_tags(v_opened), _stop_builds(v_pkg.pkg_id), v_new;
END
$$;
