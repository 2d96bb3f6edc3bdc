-- Removes a package's files, or those of one version of it (p_sort_key). p_what:
--   files    they are withdrawn: gone from the page with its next writing and from the disk behind it, their names kept, so
--            that they never come back with other bytes (_withdraw.sql)
--   builds   the same, and what is recorded of attempts is forgotten; `logs` are theirs, to be removed behind the page
--   yank     nothing goes: the version is marked as yanked (PEP 592) for p_reason, whatever the index says, and not built
--   unyank   that mark goes
-- With p_skip nothing of it is built any more, for this reason (_set_skip.sql); else what is open then is built again as
-- soon as its turn comes. A slave whose wheel would have a name that goes is to be cancelled (`cancelled`), another goes on.
-- In pieces: of versions with larger numbers than p_after, at most 200. With `more` the same order is to be given again with
-- the answer's "next" for p_after.
-- The answer, of one piece: {"package", "version", "what", "versions": something of which changed, "files", "builds": that
-- went, "skipped": whether it was not before, "changed", "page": the number of _page_ordered.sql, "next": or null}. Done again
-- it changes nothing.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.remove(
    p_package text, p_sort_key bytea, p_what text, p_skip text, p_reason text, p_after integer
) RETURNS TABLE (answer text, opened text[], cancelled bigint[], more boolean, logs bigint[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    c_versions CONSTANT integer := 200;
    v_pkg integer;
    v_vers integer[];
    v_ver integer;
    v_version text;
    v_skip record;
    v_builds bigint[];
    v_gone bigint;
    v_opened smallint[] := '{}';
    v_cancelled bigint[] := '{}';
    v_logs bigint[] := '{}';
    v_versions integer := 0;
    v_files bigint := 0;
    v_skipped boolean := false;
    v_changed boolean;
    v_more boolean;
BEGIN
    PERFORM _check_reason(p_reason);
    IF p_what IS NULL OR p_what NOT IN ('files', 'builds', 'yank', 'unyank') OR p_after IS NULL OR p_after < 0
        OR (p_skip IS NOT NULL AND p_what NOT IN ('files', 'builds'))
    THEN
        RAISE EXCEPTION 'what can be removed is files and builds; what is yanked or unyanked is not skipped with it'
            USING ERRCODE = '22023';
    END IF;
    LOCK TABLE abi IN ROW SHARE MODE;
    SELECT p.pkg_id INTO v_pkg FROM package p WHERE p.name = p_package;
    IF NOT FOUND THEN
        RAISE EXCEPTION '% is not known to this farm', coalesce(p_package, 'null') USING ERRCODE = '22023';
    END IF;
    v_vers := ARRAY(SELECT v.ver_id FROM version v
        WHERE v.pkg_id = v_pkg AND v.sort_key = coalesce(p_sort_key, v.sort_key) AND v.ver_id > p_after
        ORDER BY v.ver_id LIMIT c_versions);
    v_more := cardinality(v_vers) = c_versions;
    IF p_sort_key IS NOT NULL THEN
        IF v_vers = '{}' THEN
            RAISE EXCEPTION 'this farm does not know that version of %; ''piw why %'' lists those it knows',
                p_package, p_package USING ERRCODE = '22023';
        END IF;
        SELECT v.version INTO v_version FROM version v WHERE v.ver_id = v_vers[1];
    END IF;
    -- before anything is open for it
    IF p_skip IS NOT NULL AND p_after = 0 THEN
        PERFORM _check_reason(p_skip);
        SELECT * INTO v_skip FROM _set_skip(p_package, p_sort_key, NULL, p_skip);
        v_skipped := (v_skip.answer::jsonb -> 'changed')::boolean;
        v_cancelled := v_skip.cancelled;
    END IF;
    FOREACH v_ver IN ARRAY v_vers LOOP
        PERFORM FROM lease l WHERE l.ver_id = v_ver AND l.ended IS NULL ORDER BY l.build_id FOR UPDATE;
        PERFORM FROM vstate s WHERE s.ver_id = v_ver FOR NO KEY UPDATE;
        v_changed := false;
        IF p_what IN ('yank', 'unyank') THEN
            UPDATE version v SET yank = CASE p_what WHEN 'yank' THEN p_reason END
            WHERE v.ver_id = v_ver AND v.yank IS DISTINCT FROM CASE p_what WHEN 'yank' THEN p_reason END;
            v_changed := FOUND;
        ELSE
            SELECT count(*) INTO v_gone FROM file f WHERE f.ver_id = v_ver;
            IF v_gone > 0 THEN
                PERFORM _withdraw(v_ver, p_reason);
                UPDATE version v SET imported = false WHERE v.ver_id = v_ver AND v.imported;
                WITH stopped AS (
                    UPDATE lease l SET ended = 'superseded', ended_at = clock_timestamp()
                    WHERE l.ver_id = v_ver AND l.ended IS NULL AND l.build_tag < _build_tag(l.ver_id, l.abi_id)
                    RETURNING l.build_id
                )
                SELECT v_cancelled || coalesce(array_agg(o.build_id ORDER BY o.build_id), '{}') INTO v_cancelled
                FROM stopped o;
                v_files := v_files + v_gone;
                v_changed := true;
            END IF;
            IF p_what = 'builds' THEN
                v_builds := _forget_builds(v_ver);
                v_logs := v_logs || v_builds;
                v_changed := v_changed OR v_builds <> '{}';
            END IF;
        END IF;
        IF v_changed THEN
            v_versions := v_versions + 1;
            v_opened := v_opened || _judge(v_ver);
        END IF;
    END LOOP;
    IF p_what IN ('yank', 'unyank') AND v_versions > 0 THEN
        SELECT v_cancelled || _stop_builds(v_pkg) INTO v_cancelled;
    END IF;
    IF v_versions > 0 THEN
        PERFORM _show(v_pkg);
    END IF;
    RETURN QUERY SELECT
        jsonb_build_object('package', p_package, 'version', v_version, 'what', p_what, 'versions', v_versions,
            'files', v_files, 'builds', cardinality(v_logs), 'skipped', v_skipped, 'changed', v_versions > 0 OR v_skipped,
            'page', _page_ordered(v_pkg), 'next', CASE WHEN v_more THEN v_vers[c_versions] END)::text,
        _abi_tags(array_remove(v_opened, NULL)),
        ARRAY(SELECT DISTINCT c.build_id FROM unnest(v_cancelled) AS c(build_id) ORDER BY 1), v_more, v_logs;
END
$$;
