-- Puts versions on the farm's list because somebody asked for them, all or none, and says in the order asked how each
-- stands: new, queued, building, built, failed or skipped; and the ABI whose queue has it.
-- They are queued in the order asked, before everything that nobody asked for and after what was asked for earlier
-- (_prio.sql). The back-off of one that waits ends. A yanked version is queued like any other: who asks by name wants
-- it. What is known of a version (release time, yanked, the project's spelling) is brought up to date, and the page with
-- it. The same version may be named twice. At most 5,000 versions a call.
-- Works through them by name and version, so that two calls lock in one order; their places are drawn before.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.add_versions(
    p_names text[], p_displays text[], p_versions text[], p_sort_keys bytea[],
    p_released bigint[], p_yanked text[], p_prerelease boolean[]
) RETURNS TABLE (state text, queued_for text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_count integer := cardinality(p_names);
    v_states text[];
    v_queued text[];
    v_asked bigint[];
    v_w record;
    v_pkg package;
    v_version version;
    v_result record;
BEGIN
    IF v_count IS NULL OR v_count > 5000 THEN
        RAISE EXCEPTION 'between 0 and 5,000 versions are added at a time' USING ERRCODE = '22023';
    END IF;
    IF NOT coalesce(v_count = ALL (ARRAY[cardinality(p_displays), cardinality(p_versions), cardinality(p_sort_keys),
        cardinality(p_released), cardinality(p_yanked), cardinality(p_prerelease)]), false) THEN
        RAISE EXCEPTION 'lists of different lengths' USING ERRCODE = '22023';
    END IF;
    IF EXISTS (SELECT FROM unnest(p_names, p_displays, p_versions) AS w(name, display, version)
        WHERE coalesce(w.name, '') !~ '^[a-z0-9]+(-[a-z0-9]+)*$'
            OR coalesce(w.display, '') = '' OR coalesce(w.version, '') = '')
        OR EXISTS (SELECT FROM unnest(p_sort_keys) AS k WHERE coalesce(octet_length(k), 0) = 0)
        OR array_position(p_prerelease, NULL) IS NOT NULL
    THEN
        RAISE EXCEPTION 'a name that is not canonical, or a missing spelling, version or sort key'
            USING ERRCODE = '22023';
    END IF;
    LOCK TABLE abi IN ROW SHARE MODE;
    v_states := array_fill(NULL::text, ARRAY[v_count]);
    v_queued := array_fill(NULL::text, ARRAY[v_count]);
    v_asked := ARRAY(SELECT nextval('asked_seq') FROM generate_series(1, v_count));
    FOR v_w IN
        SELECT * FROM unnest(p_names, p_displays, p_versions, p_sort_keys, p_released, p_yanked, p_prerelease)
            WITH ORDINALITY AS w(name, display, version, sort_key, released, yanked, prerelease, place)
        ORDER BY w.name COLLATE "C", w.sort_key DESC, w.place
    LOOP
        SELECT * INTO v_pkg FROM package p WHERE p.name = v_w.name;
        IF NOT FOUND OR v_pkg.display <> v_w.display THEN
            INSERT INTO package AS p (name, display) VALUES (v_w.name, v_w.display)
            ON CONFLICT (name) DO UPDATE SET display = EXCLUDED.display
            RETURNING * INTO v_pkg;
            IF v_pkg.published THEN
                PERFORM _order_page(v_pkg.pkg_id);
            END IF;
        END IF;
        INSERT INTO version (pkg_id, version, sort_key, released, yanked, prerelease)
        VALUES (v_pkg.pkg_id, v_w.version, v_w.sort_key, to_timestamp(v_w.released), v_w.yanked, v_w.prerelease)
        ON CONFLICT (pkg_id, sort_key) DO NOTHING
        RETURNING * INTO v_version;
        IF FOUND THEN
            INSERT INTO vstate (ver_id, prio, blocked)
            VALUES (v_version.ver_id,
                _prio(0, v_asked[v_w.place], v_pkg.pkg_id, v_version.ver_id, v_w.sort_key), v_pkg.skip IS NOT NULL);
            SELECT CASE WHEN v_pkg.skip IS NULL THEN 'new' ELSE 'skipped' END AS state, a.tag AS queued_for
            INTO v_result
            FROM (SELECT _open_next(v_version.ver_id) AS abi_id) AS o LEFT JOIN abi a USING (abi_id);
        ELSE
            SELECT * INTO STRICT v_result
                FROM _ask_again(v_asked[v_w.place], v_pkg, v_w.sort_key, v_w.released, v_w.yanked);
        END IF;
        v_states[v_w.place] := v_result.state;
        v_queued[v_w.place] := v_result.queued_for;
    END LOOP;
    RETURN QUERY SELECT r.state, r.queued_for
        FROM unnest(v_states, v_queued) WITH ORDINALITY AS r(state, queued_for, place) ORDER BY r.place;
END
$$;
