-- Puts versions on the farm's list because somebody asked for them, all or none, and says in the order asked how each
-- stands: new, queued, building, built, failed or skipped; the ABI whose queue has it; why it is skipped.
-- They are queued in the order asked, before everything that nobody asked for and after what was asked for earlier
-- (views/judgement.sql). The back-off of one that waits ends. A yanked version is built where it was `named` (==). What the index
-- says of a version (release time, yanked, Pythons, its own wheels, the project's spelling) is brought up to date, and the
-- page with it: all of it was just read there. p_tags has the tags of the index's wheels, with spaces between.
-- p_specifiers are the wishes, which new releases are held against later; null for a version that stands for none.
-- With p_deps the requirements of what is built are wanted too, and those of p_extras: extras with spaces between.
-- The same version may be named twice. At most 5,000 versions a call.
-- Works through them by name and version, so that two calls lock in one order; their places are drawn before.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.add_versions(
    p_names text[], p_displays text[], p_versions text[], p_sort_keys bytea[],
    p_released bigint[], p_yanked text[], p_prerelease boolean[], p_named boolean[], p_pythons bigint[], p_pure text[],
    p_tags text[], p_specifiers text[], p_extras text[], p_deps boolean
) RETURNS TABLE (state text, queued_for text, reason text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_count integer := cardinality(p_names);
    v_states text[];
    v_queued text[];
    v_reasons text[];
    v_asked bigint[];
    v_w record;
    v_pkg package;
    v_facts _release;
    v_ver integer;
    v_new boolean;
    v_learned boolean;
    v_pages integer[] := '{}';
    v_result record;
BEGIN
    IF v_count IS NULL OR v_count > 5000 THEN
        RAISE EXCEPTION 'between 0 and 5,000 versions are added at a time' USING ERRCODE = '22023';
    END IF;
    IF NOT coalesce(v_count = ALL (ARRAY[cardinality(p_displays), cardinality(p_versions), cardinality(p_sort_keys),
        cardinality(p_released), cardinality(p_yanked), cardinality(p_prerelease), cardinality(p_named),
        cardinality(p_pythons), cardinality(p_pure), cardinality(p_tags), cardinality(p_specifiers), cardinality(p_extras)]), false)
        OR p_deps IS NULL
    THEN
        RAISE EXCEPTION 'lists of different lengths' USING ERRCODE = '22023';
    END IF;
    PERFORM _check_names(p_names, p_displays, p_versions, p_sort_keys);
    IF array_position(p_prerelease, NULL) IS NOT NULL OR array_position(p_named, NULL) IS NOT NULL
        OR 0 > ANY (p_pythons)
    THEN
        RAISE EXCEPTION 'not said whether a version is a pre-release or was named, or a negative mask'
            USING ERRCODE = '22023';
    END IF;
    LOCK TABLE abi IN ROW SHARE MODE;
    v_states := array_fill(NULL::text, ARRAY[v_count]);
    v_queued := array_fill(NULL::text, ARRAY[v_count]);
    v_reasons := array_fill(NULL::text, ARRAY[v_count]);
    v_asked := ARRAY(SELECT nextval('asked_seq') FROM generate_series(1, v_count));
    FOR v_w IN
        SELECT * FROM unnest(p_names, p_displays, p_versions, p_sort_keys, p_released, p_yanked, p_prerelease, p_named,
                p_pythons, p_pure, p_tags, p_specifiers, p_extras)
            WITH ORDINALITY AS w(name, display, version, sort_key, released, yanked, prerelease, named, pythons, pure,
                tags, specifiers, extras, place)
        ORDER BY w.name COLLATE "C", w.sort_key DESC, w.place
    LOOP
        v_pkg := _register(v_w.name, v_w.display);
        UPDATE package p SET removed_at = NULL, missing_since = NULL
        WHERE p.pkg_id = v_pkg.pkg_id AND (p.removed_at IS NOT NULL OR p.missing_since IS NOT NULL);
        IF v_w.specifiers IS NOT NULL THEN
            INSERT INTO wish AS o (pkg_id, specifiers, asked_at, deps)
            VALUES (v_pkg.pkg_id, v_w.specifiers, clock_timestamp(), p_deps)
            ON CONFLICT (pkg_id, specifiers) DO UPDATE SET deps = o.deps OR EXCLUDED.deps;
            -- it is followed from now on, and the page it was read from told of this version only
            UPDATE package p SET etag = NULL, read_due = coalesce(p.read_due, clock_timestamp())
            WHERE p.pkg_id = v_pkg.pkg_id;
        END IF;
        v_facts := (v_w.version, v_w.sort_key, v_w.prerelease, to_timestamp(v_w.released), true, v_w.yanked,
            v_w.pythons, v_w.pure, v_w.tags)::_release;
        SELECT l.ver_id, l.is_new, l.changed INTO v_ver, v_new, v_learned FROM _learn(v_pkg.pkg_id, v_facts) AS l;
        UPDATE version v SET named = true WHERE v.ver_id = v_ver AND v_w.named AND NOT v.named;
        IF p_deps THEN
            INSERT INTO wanted_extra (ver_id, extra)
            SELECT v_ver, e.extra FROM unnest(string_to_array(nullif(v_w.extras, ''), ' ')) AS e(extra)
            ON CONFLICT DO NOTHING;
        END IF;
        PERFORM _renew_newest(v_pkg.pkg_id);
        SELECT * INTO STRICT v_result FROM _ask_again(v_ver, v_asked[v_w.place], p_deps);
        v_states[v_w.place] := CASE WHEN v_new AND v_result.state = 'queued' THEN 'new' ELSE v_result.state END;
        v_queued[v_w.place] := v_result.queued_for;
        v_reasons[v_w.place] := v_result.reason;
        IF v_learned OR v_result.state = 'queued' THEN
            v_pages := v_pages || v_pkg.pkg_id;
        END IF;
    END LOOP;
    PERFORM _order_pages(v_pages);
    RETURN QUERY SELECT r.state, r.queued_for, r.reason
        FROM unnest(v_states, v_queued, v_reasons) WITH ORDINALITY AS r(state, queued_for, reason, place)
        ORDER BY r.place;
END
$$;
