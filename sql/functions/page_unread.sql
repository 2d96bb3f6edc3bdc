-- A look at a project's page brought nothing new. p_news says what:
--   unchanged  it is as it was when it was last read: what waits for the look may be handed out. Not where more was learned of
--              the project than p_serial, what was known when the page was asked for, or where that page has nothing to say
--              about it (no etag): then nothing changes, and the page stays due
--   missing    the index has no such page. That may be a passing fault: at once nothing of the project is handed out any
--              more, and it is looked at again; when it is still missing after p_patience_secs, the project counts as
--              removed, and its files are withdrawn, unless the operator imported them; at once where an event had said that it was removed
--   failed     it could not be read, or was older than what is known: looked at again after a back-off (one minute,
--              doubled up to six hours, p_retry_secs at least); what waits for it lets others pass
-- p_next_secs as in learn_page, for `unchanged`.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.page_unread(
    p_name text, p_news text, p_serial bigint, p_next_secs integer, p_retry_secs integer, p_patience_secs integer
) RETURNS TABLE (opened text[], cancelled bigint[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_pkg package;
    v_ver integer;
    v_due timestamptz;
    v_opened smallint[] := '{}';
BEGIN
    IF p_news IS NULL OR p_news NOT IN ('unchanged', 'missing', 'failed') OR coalesce(p_name, '') = ''
        OR coalesce(p_serial, -1) < 0 OR p_next_secs NOT BETWEEN 1 AND 31536000
        OR coalesce(p_retry_secs, -1) NOT BETWEEN 0 AND 604800 OR coalesce(p_patience_secs, -1) NOT BETWEEN 0 AND 604800
    THEN
        RAISE EXCEPTION 'not what a look at a page comes to' USING ERRCODE = '22023';
    END IF;
    LOCK TABLE abi IN ROW SHARE MODE;
    SELECT * INTO v_pkg FROM package p WHERE p.name = p_name;
    IF NOT FOUND THEN
        RETURN QUERY SELECT '{}'::text[], '{}'::bigint[];
        RETURN;
    END IF;
    IF p_news = 'unchanged' THEN
        IF v_pkg.etag IS NOT NULL AND v_pkg.serial <= p_serial THEN
            UPDATE package p SET read_at = clock_timestamp(), fails = 0, page_serial = greatest(p.page_serial, p.serial),
                read_due = clock_timestamp() + make_interval(secs => p_next_secs)
            WHERE p.pkg_id = v_pkg.pkg_id;
            v_opened := _page_read(v_pkg.pkg_id);
        END IF;
        RETURN QUERY SELECT _abi_tags(v_opened), '{}'::bigint[];
        RETURN;
    END IF;
    IF p_news = 'missing' AND (v_pkg.removed_at IS NOT NULL
        OR v_pkg.missing_since < clock_timestamp() - make_interval(secs => p_patience_secs))
    THEN
        UPDATE package p SET removed_at = coalesce(p.removed_at, clock_timestamp()), missing_since = NULL, etag = NULL,
            read_due = NULL, fails = 0
        WHERE p.pkg_id = v_pkg.pkg_id;
        FOR v_ver IN SELECT v.ver_id FROM version v WHERE v.pkg_id = v_pkg.pkg_id AND NOT v.imported ORDER BY v.ver_id LOOP
            PERFORM _withdraw(v_ver, 'the index has removed the project');
        END LOOP;
        v_opened := _judge_package(v_pkg.pkg_id);
        PERFORM _order_page(v_pkg.pkg_id);
        PERFORM _show(v_pkg.pkg_id) WHERE v_pkg.published;
        RETURN QUERY SELECT _abi_tags(v_opened), _stop_builds(v_pkg.pkg_id);
        RETURN;
    END IF;
    v_due := clock_timestamp() + make_interval(secs => greatest(p_retry_secs,
        least(60 * 2 ^ least(v_pkg.fails, 9), 21600)));
    IF p_news = 'missing' THEN
        v_due := least(v_due, coalesce(v_pkg.missing_since, clock_timestamp())
            + make_interval(secs => p_patience_secs + 1));
    END IF;
    UPDATE package p SET fails = least(p.fails + 1, 1000), read_due = v_due,
        missing_since = CASE WHEN p_news = 'missing' THEN coalesce(p.missing_since, clock_timestamp())
            ELSE p.missing_since END,
        etag = CASE WHEN p_news = 'missing' THEN NULL ELSE p.etag END
    WHERE p.pkg_id = v_pkg.pkg_id;
    IF p_news = 'missing' AND v_pkg.missing_since IS NULL THEN
        v_opened := _judge_package(v_pkg.pkg_id);
    END IF;
    FOR v_ver IN
        SELECT q.ver_id FROM version v JOIN queue q ON q.ver_id = v.ver_id
        WHERE v.pkg_id = v_pkg.pkg_id AND NOT q.ready ORDER BY q.ver_id
    LOOP
        PERFORM FROM vstate s WHERE s.ver_id = v_ver FOR NO KEY UPDATE;
        WITH waiting AS (DELETE FROM queue q WHERE q.ver_id = v_ver AND NOT q.ready RETURNING q.*)
        INSERT INTO delayed (ver_id, abi_id, prio, attempt, due, why)
        SELECT w.ver_id, w.abi_id, w.prio, w.attempt, v_due, 'page' FROM waiting w;
    END LOOP;
    IF p_news = 'missing' AND v_pkg.missing_since IS NULL THEN
        PERFORM _order_page(v_pkg.pkg_id);
    END IF;
    RETURN QUERY SELECT _abi_tags(v_opened), _stop_builds(v_pkg.pkg_id);
END
$$;
