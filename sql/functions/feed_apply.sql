-- Events of the index's changelog, in one transaction with the serial up to which they reach. Kinds:
--   sdist             a source distribution was uploaded: the version is registered where it is new, and checked before it
--                     is handed out
--   file-removed      what is left of the release stands on its page, which is read
--   release-removed, project-removed
--                     nothing of it is handed out any more. Files are withdrawn when the page confirms it
--   yanked, unyanked  the reason stands on the page, which is read
--   pure-wheel        the index has a wheel for every Python and platform (p_files has its name)
--   other             only the package's newest serial matters
-- Events that were applied before are passed over. One that comes late, after younger ones of the same package, is not
-- believed where it would take something away: the page is read instead, which is the truth. What it brings is registered, and
-- the page read in full: the one that is known, younger than the event, has it no more.
-- p_serial is the largest serial that has been read, p_settled the one up to which nothing is expected late; neither goes
-- back: a call whose p_serial is below the stored one leaves that as it is. At most 1,000 events a call.
-- Returns the ABIs whose queues got something to hand out, builds to be cancelled, how many versions are new.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.feed_apply(
    p_serial bigint, p_settled bigint, p_serials bigint[], p_ats bigint[], p_names text[], p_displays text[],
    p_kinds text[], p_versions text[], p_sort_keys bytea[], p_prerelease boolean[], p_files text[]
) RETURNS TABLE (opened text[], cancelled bigint[], registered integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_count integer := cardinality(p_serials);
    v_e record;
    v_pkg package;
    v_ver integer;
    v_late boolean;
    v_new integer := 0;
    v_at timestamptz;
    v_opened smallint[] := '{}';
    v_cancelled bigint[] := '{}';
    v_pages integer[] := '{}';
BEGIN
    IF v_count IS NULL OR v_count > 1000 OR NOT coalesce(v_count = ALL (ARRAY[cardinality(p_ats), cardinality(p_names),
        cardinality(p_displays), cardinality(p_kinds), cardinality(p_versions), cardinality(p_sort_keys),
        cardinality(p_prerelease), cardinality(p_files)]), false)
    THEN
        RAISE EXCEPTION 'more than 1,000 events, or lists of different lengths' USING ERRCODE = '22023';
    END IF;
    IF p_serial IS NULL OR p_settled IS NULL OR p_settled < 0 OR p_settled > p_serial
        OR EXISTS (SELECT FROM unnest(p_serials) AS s(serial) WHERE s.serial IS NULL OR s.serial < 1 OR s.serial > p_serial)
    THEN
        RAISE EXCEPTION 'an event beyond the serial that was read' USING ERRCODE = '22023';
    END IF;
    IF EXISTS (SELECT FROM unnest(p_ats, p_kinds, p_versions, p_sort_keys, p_prerelease) AS e(at, kind, version, sort_key, pre)
        WHERE e.at IS NULL OR e.kind IS NULL OR e.kind NOT IN ('sdist', 'file-removed', 'release-removed',
                'project-removed', 'yanked', 'unyanked', 'pure-wheel', 'other')
            OR (e.kind NOT IN ('project-removed', 'other')
                AND (coalesce(e.version, '') = '' OR coalesce(octet_length(e.sort_key), 0) = 0 OR e.pre IS NULL)))
    THEN
        RAISE EXCEPTION 'an event that says too little' USING ERRCODE = '22023';
    END IF;
    PERFORM _check_names(p_names, p_displays, array_fill('1'::text, ARRAY[v_count]),
        array_fill('\x01'::bytea, ARRAY[v_count]));
    LOCK TABLE abi IN ROW SHARE MODE;
    PERFORM FROM feed f FOR UPDATE;
    FOR v_e IN
        SELECT u.* FROM unnest(p_serials, p_ats, p_names, p_displays, p_kinds, p_versions, p_sort_keys, p_prerelease, p_files)
            AS u(serial, at, name, display, kind, version, sort_key, prerelease, file)
        ORDER BY u.serial
    LOOP
        IF v_e.kind <> 'other' THEN
            INSERT INTO feed_seen (serial) VALUES (v_e.serial) ON CONFLICT DO NOTHING;
            CONTINUE WHEN NOT FOUND;
        END IF;
        SELECT * INTO v_pkg FROM package p WHERE p.name = v_e.name;
        IF NOT FOUND THEN
            CONTINUE WHEN v_e.kind NOT IN ('sdist', 'other');
            v_pkg := _register(v_e.name, v_e.display);
        ELSIF v_e.kind = 'sdist' THEN
            v_pkg := _register(v_e.name, v_e.display);
        END IF;
        v_late := v_e.serial < v_pkg.serial;
        v_at := to_timestamp(v_e.at);
        UPDATE package p SET serial = v_e.serial WHERE p.pkg_id = v_pkg.pkg_id AND p.serial < v_e.serial;
        CONTINUE WHEN v_e.kind = 'other';
        SELECT v.ver_id INTO v_ver FROM version v WHERE v.pkg_id = v_pkg.pkg_id AND v.sort_key = v_e.sort_key;
        IF v_e.kind = 'sdist' AND v_ver IS NULL THEN
            SELECT l.ver_id INTO v_ver FROM _learn(v_pkg.pkg_id, (v_e.version, v_e.sort_key, v_e.prerelease, v_at, true,
                NULL, NULL, NULL, NULL)::_release) AS l;
            UPDATE version v SET fresh = v_at > clock_timestamp() - interval '30 days' WHERE v.ver_id = v_ver;
            UPDATE vstate s SET checked = false WHERE s.ver_id = v_ver;
            UPDATE package p SET etag = NULL WHERE p.pkg_id = v_pkg.pkg_id AND v_late;
            v_new := v_new + 1;
        ELSIF v_late AND v_e.kind <> 'pure-wheel' THEN
            UPDATE package p SET read_due = clock_timestamp(), etag = NULL WHERE p.pkg_id = v_pkg.pkg_id;
            CONTINUE;
        END IF;
        CONTINUE WHEN v_ver IS NULL AND v_e.kind <> 'project-removed';
        CASE v_e.kind
            WHEN 'sdist' THEN
                UPDATE version v SET sdist = true, removed_at = NULL WHERE v.ver_id = v_ver;
                UPDATE vstate s SET checked = false WHERE s.ver_id = v_ver;
                UPDATE package p SET removed_at = NULL, missing_since = NULL WHERE p.pkg_id = v_pkg.pkg_id;
            WHEN 'file-removed' THEN
                UPDATE vstate s SET checked = false WHERE s.ver_id = v_ver;
                UPDATE package p SET read_due = v_at WHERE p.pkg_id = v_pkg.pkg_id AND p.published;
            WHEN 'release-removed' THEN
                UPDATE version v SET removed_at = v_at WHERE v.ver_id = v_ver;
                UPDATE package p SET read_due = v_at WHERE p.pkg_id = v_pkg.pkg_id AND p.published;
            WHEN 'yanked' THEN
                UPDATE version v SET yanked = coalesce(v.yanked, '') WHERE v.ver_id = v_ver;
                UPDATE package p SET read_due = v_at WHERE p.pkg_id = v_pkg.pkg_id AND p.published;
            WHEN 'unyanked' THEN
                UPDATE version v SET yanked = NULL WHERE v.ver_id = v_ver;
                UPDATE vstate s SET checked = false WHERE s.ver_id = v_ver;
            WHEN 'pure-wheel' THEN
                UPDATE version v SET pure = left(v_e.file, 200) WHERE v.ver_id = v_ver AND v.pure IS NULL;
            ELSE
                UPDATE package p SET removed_at = v_at,
                    read_due = CASE WHEN p.published THEN v_at END WHERE p.pkg_id = v_pkg.pkg_id;
                UPDATE version v SET removed_at = coalesce(v.removed_at, v_at) WHERE v.pkg_id = v_pkg.pkg_id;
        END CASE;
        IF v_e.kind = 'project-removed' THEN
            v_opened := v_opened || _judge_package(v_pkg.pkg_id);
        ELSE
            v_opened := v_opened || _judge(v_ver);
        END IF;
        v_opened := v_opened || _renew_newest(v_pkg.pkg_id);
        IF v_e.kind IN ('release-removed', 'project-removed') THEN
            v_cancelled := v_cancelled || _stop_builds(v_pkg.pkg_id);
        END IF;
        v_pages := v_pages || v_pkg.pkg_id;
    END LOOP;
    UPDATE feed f SET serial = greatest(f.serial, p_serial), settled = greatest(f.settled, p_settled),
        heard_at = clock_timestamp();
    DELETE FROM feed_seen s WHERE s.serial <= (SELECT f.settled FROM feed f);
    PERFORM _order_pages(v_pages);
    RETURN QUERY SELECT _abi_tags(v_opened), v_cancelled, v_new;
END
$$;
