-- The one commit point of a build: build row, files, lease closed, next ABI queued, counters, page due. The verdict:
--   recorded    now; `opened` is the ABI whose queue got the version next, if any
--   duplicate   the same result was recorded before; nothing changes
--   superseded  another slave's result came first; recorded without the files (left_behind.sql)
--   unknown     no such job, or the secret is wrong
-- A result whose lease ended is recorded like any other where it is still wanted (functions/_still_wanted.sql).
-- The rule of ABIs: files without ABI only settle the version for good; abi3 files settle every ABI they serve; any
-- other result, one without files too, settles its own ABI and opens the next. Except what another attempt may mend
-- (_settles.sql): it is recorded, and the version waits for its next attempt at the same ABI (_back_off.sql); when it
-- comes late, and the version waits for that attempt already, nothing else changes.
-- A build that was cancelled because something speaks against it (vstate.blocked, or the ABI is off) is recorded and
-- settles nothing: when nothing does any more, the version is built after all.
-- A `no-sdist` of a version that was released less than a day ago is an `upload-race`: an index shows a release with its
-- first file, and the source distribution comes minutes later, if it comes.
-- The caller has checked and placed the files: from this commit on pages link to them.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.log_build(
    p_build bigint, p_secret bytea, p_slave text, p_outcome text, p_duration_ms bigint, p_log_bytes bigint,
    p_filenames text[], p_sizes bigint[], p_sha256s bytea[], p_python_tags text[], p_abi_tags text[],
    p_platform_tags text[], p_requires text[], p_metadata bytea[], p_requires_dist text[], p_report jsonb
) RETURNS TABLE (verdict text, opened text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_ver integer;
    v_pkg integer;
    v_lease lease;
    v_settles boolean;
    v_stopped boolean;
    v_wanted boolean := true;
    v_abi3_from integer;
    v_opened smallint;
BEGIN
    PERFORM _check_token(p_build, p_secret);
    PERFORM _check_result(p_slave, p_outcome, p_duration_ms, p_log_bytes, p_filenames, p_sizes, p_sha256s,
        p_python_tags, p_abi_tags, p_platform_tags, p_requires, p_metadata, p_requires_dist, p_report);

    -- Locks in the order abi, lease, vstate, queue. The version's live lease too: a late result may end it.
    LOCK TABLE abi IN ROW SHARE MODE;
    SELECT l.ver_id INTO v_ver FROM lease l WHERE l.build_id = p_build AND l.secret = p_secret;
    PERFORM FROM lease l WHERE l.ver_id = v_ver AND (l.build_id = p_build OR l.ended IS NULL)
    ORDER BY l.build_id FOR UPDATE;
    SELECT * INTO v_lease FROM lease l WHERE l.build_id = p_build AND l.secret = p_secret;
    IF NOT FOUND THEN
        PERFORM left_behind(p_filenames);
        RETURN QUERY SELECT
            CASE WHEN EXISTS (SELECT FROM build b WHERE b.build_id = p_build AND b.secret = p_secret)
                THEN 'duplicate' ELSE 'unknown' END,
            NULL::text;
        RETURN;
    END IF;
    PERFORM FROM vstate s WHERE s.ver_id = v_ver FOR NO KEY UPDATE;
    SELECT v.pkg_id INTO STRICT v_pkg FROM version v WHERE v.ver_id = v_ver;

    IF p_outcome = 'no-sdist'
        AND (SELECT v.released FROM version v WHERE v.ver_id = v_ver) > clock_timestamp() - interval '1 day'
    THEN
        p_outcome := 'upload-race';
    END IF;
    v_stopped := p_outcome = 'cancelled' AND (SELECT s.blocked OR t.off IS NOT NULL
        FROM vstate s JOIN target t ON t.ver_id = s.ver_id AND t.abi_id = v_lease.abi_id WHERE s.ver_id = v_ver);
    v_settles := _settles(p_outcome, v_lease.attempt) AND NOT v_stopped;
    IF v_lease.ended IS NOT NULL AND v_settles THEN
        v_wanted := _still_wanted(v_lease, p_outcome = 'cancelled' OR NOT _settles(p_outcome, 1::smallint));
    ELSIF v_lease.ended IS NOT NULL THEN
        v_wanted := EXISTS (SELECT FROM queue q WHERE q.ver_id = v_ver AND q.abi_id = v_lease.abi_id)
            OR EXISTS (SELECT FROM delayed d WHERE d.ver_id = v_ver AND d.abi_id = v_lease.abi_id);
    END IF;
    IF NOT v_wanted THEN
        PERFORM _record(v_lease, p_slave, 'superseded', p_duration_ms, p_log_bytes, p_report);
        DELETE FROM lease l WHERE l.build_id = p_build;
        PERFORM _open_next(v_ver);
        PERFORM _order_page(v_pkg);
        PERFORM left_behind(p_filenames);
        RETURN QUERY SELECT 'superseded', NULL::text;
        RETURN;
    END IF;

    PERFORM _record(v_lease, p_slave, p_outcome, p_duration_ms, p_log_bytes, p_report);
    DELETE FROM lease l WHERE l.build_id = p_build;
    IF v_stopped THEN
        UPDATE build b SET void = true WHERE b.build_id = p_build;
        v_opened := _open_next(v_ver);
        PERFORM _order_page(v_pkg);
        RETURN QUERY SELECT 'recorded', (SELECT a.tag FROM abi a WHERE a.abi_id = v_opened);
        RETURN;
    END IF;
    IF NOT v_settles THEN
        IF v_lease.ended IS NULL THEN
            v_opened := _requeue(v_ver, v_lease.abi_id, v_lease.attempt + 1,
                clock_timestamp() + _back_off(p_outcome, v_lease.attempt));
        END IF;
        PERFORM _order_page(v_pkg);
        RETURN QUERY SELECT 'recorded', (SELECT a.tag FROM abi a WHERE a.abi_id = v_opened);
        RETURN;
    END IF;
    IF cardinality(p_filenames) > 0 THEN
        -- one that was withdrawn while it was built may just be going from the disk
        PERFORM _publish(p_build, v_pkg, v_ver,
            clock_timestamp() - make_interval(secs => least(p_duration_ms, 30::bigint * 24 * 3600 * 1000) / 1000.0 + 3600),
            p_filenames, p_sizes, p_sha256s, p_python_tags, p_abi_tags, p_platform_tags, p_requires, p_metadata,
            p_requires_dist);
        v_abi3_from := _abi3_from(p_python_tags, p_abi_tags);
    END IF;
    UPDATE vstate s SET
        done = s.done | (1::bigint << v_lease.abi_id),
        -- true of every file; false of none at all
        covered = s.covered OR (cardinality(p_abi_tags) > 0 AND 'none' = ALL (p_abi_tags)),
        abi3_from = least(s.abi3_from, v_abi3_from)
    WHERE s.ver_id = v_ver;
    v_opened := _open_next(v_ver);

    IF cardinality(p_filenames) > 0 THEN
        IF (SELECT s.deps FROM vstate s WHERE s.ver_id = v_ver) THEN
            PERFORM _want_requirements(v_ver);
        END IF;
        PERFORM _show(v_pkg);
    ELSE
        PERFORM _order_page(v_pkg);
    END IF;
    RETURN QUERY SELECT 'recorded', (SELECT a.tag FROM abi a WHERE a.abi_id = v_opened);
END
$$;
