-- An import is about to be sent: whether its files may be published as files of this version. Nothing is changed but the
-- sequence of build numbers. The verdict:
--   ready            under `build_id`, for `abi`; `begun` goes with the result (log_import.sql)
--   unchanged        these very files are published already; `page` as in _page_ordered.sql
--   unknown-package, unknown-version   the farm does not know it, and p_create is false
-- p_abi is the ABI to import for; null where the files are of none, or of the stable one: then it is the first of those
-- whose Python is p_from (major * 1000 + minor) or later, one that has the stable ABI where p_abi3 says so, and one that is
-- still built for where there is one.
-- Refused (22023): a name that was published with other bytes or for another version, or that is offered as another name
-- of another file; a name whose file is just going from the disk.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.begin_import(
    p_package text, p_sort_key bytea, p_abi text, p_from integer, p_abi3 boolean, p_filenames text[], p_sha256s bytea[],
    p_create boolean
) RETURNS TABLE (verdict text, build_id bigint, abi text, begun bigint, page bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_pkg integer;
    v_ver integer;
    v_abi text;
    v_filename text;
BEGIN
    PERFORM _check_names(ARRAY[p_package], ARRAY[p_package], ARRAY['1'], ARRAY[p_sort_key]);
    IF coalesce(cardinality(p_filenames), 0) NOT BETWEEN 1 AND 1000
        OR cardinality(p_sha256s) IS DISTINCT FROM cardinality(p_filenames) OR array_position(p_filenames, NULL) IS NOT NULL
        OR EXISTS (SELECT FROM unnest(p_sha256s) AS s(sha256) WHERE coalesce(octet_length(s.sha256), 0) <> 32)
        OR coalesce(p_from, -1) < 0 OR p_abi3 IS NULL OR p_create IS NULL
    THEN
        RAISE EXCEPTION 'between 1 and 1,000 files with their digests, and for which Python, are imported'
            USING ERRCODE = '22023';
    END IF;
    PERFORM _known_abi(p_abi);
    SELECT coalesce(p_abi, (SELECT a.tag FROM abi a
        WHERE a.py_major * 1000 + a.py_minor >= p_from AND NOT (p_abi3 AND a.flags LIKE '%t%')
        ORDER BY a.skip IS NOT NULL, a.rank LIMIT 1)) INTO v_abi;
    IF v_abi IS NULL THEN
        RAISE EXCEPTION 'this farm has no ABI that the files serve; ''piw abi add'' makes one' USING ERRCODE = '22023';
    END IF;
    SELECT p.pkg_id INTO v_pkg FROM package p WHERE p.name = p_package;
    SELECT v.ver_id INTO v_ver FROM version v WHERE v.pkg_id = v_pkg AND v.sort_key = p_sort_key;

    SELECT w.filename INTO v_filename
    FROM unnest(p_filenames, p_sha256s) AS w(filename, sha256) JOIN file f ON f.filename = w.filename
    WHERE f.sha256 <> w.sha256 OR f.ver_id IS DISTINCT FROM v_ver LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% is published already, with other bytes or for another version; a published name never changes: give the wheel a build tag',
            v_filename USING ERRCODE = '22023';
    END IF;
    SELECT w.filename INTO v_filename
    FROM unnest(p_filenames, p_sha256s) AS w(filename, sha256) JOIN withdrawn f ON f.filename = w.filename
    WHERE f.sha256 <> w.sha256 LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% was published before, with other bytes; a name never comes back with others: give the wheel a build tag',
            v_filename USING ERRCODE = '22023';
    END IF;
    SELECT f.filename INTO v_filename FROM withdrawn f WHERE f.filename = ANY (p_filenames) AND f.pending LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% was removed, and is just going from the disk; try again in a moment', v_filename
            USING ERRCODE = '22023';
    END IF;
    SELECT f.filename INTO v_filename FROM page_file f
    WHERE f.pkg_id = v_pkg AND f.alias_of IS NOT NULL AND f.filename = ANY (p_filenames) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% is offered already, as another name of a file for another platform (the policy ''aliases'')',
            v_filename USING ERRCODE = '22023';
    END IF;

    IF (SELECT count(*) FROM file f WHERE f.filename = ANY (p_filenames)) = cardinality(p_filenames) THEN
        RETURN QUERY SELECT 'unchanged', NULL::bigint, v_abi, NULL::bigint, _page_ordered(v_pkg);
    ELSIF v_ver IS NULL AND NOT p_create THEN
        RETURN QUERY SELECT CASE WHEN v_pkg IS NULL THEN 'unknown-package' ELSE 'unknown-version' END, NULL::bigint, v_abi,
            NULL::bigint, 0::bigint;
    ELSE
        PERFORM _skip_lost_numbers();
        RETURN QUERY SELECT 'ready', nextval('build_id_seq'), v_abi,
            (extract(epoch FROM clock_timestamp()) * 1000000)::bigint, 0::bigint;
    END IF;
END
$$;
