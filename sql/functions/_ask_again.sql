-- Somebody asked for a version that is on the list: brings what is known of it up to date, moves it to where it belongs
-- if it waits, queues it again where its build was cancelled (p_asked is the order of asking; what was asked for earlier keeps that place), and says how it stands (see
-- add_versions).
-- The caller holds ROW SHARE on abi.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._ask_again(p_asked bigint, p_pkg piw.package, p_sort_key bytea, p_released bigint, p_yanked text)
RETURNS TABLE (state text, queued_for text)
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
DECLARE
    v_version version;
    v_state vstate;
    v_again bigint;
BEGIN
    SELECT * INTO STRICT v_version FROM version v WHERE v.pkg_id = p_pkg.pkg_id AND v.sort_key = p_sort_key;
    SELECT * INTO STRICT v_state FROM vstate s WHERE s.ver_id = v_version.ver_id FOR NO KEY UPDATE;
    UPDATE version v SET released = coalesce(to_timestamp(p_released), v.released), yanked = p_yanked
    WHERE v.ver_id = v_version.ver_id
        AND (v.yanked IS DISTINCT FROM p_yanked OR v.released IS DISTINCT FROM to_timestamp(p_released));
    IF v_version.yanked IS DISTINCT FROM p_yanked
        AND EXISTS (SELECT FROM file f WHERE f.ver_id = v_version.ver_id)
    THEN
        PERFORM _order_page(p_pkg.pkg_id);
    END IF;
    IF v_state.blocked THEN
        RETURN QUERY SELECT 'skipped', NULL::text;
        RETURN;
    END IF;

    -- What the administrator cancelled is built again: its old attempts settle nothing any more.
    WITH again AS (
        UPDATE build b SET outcome = 'superseded' WHERE b.ver_id = v_version.ver_id AND b.outcome = 'cancelled'
        RETURNING b.abi_id
    )
    SELECT bit_or(1::bigint << again.abi_id) INTO v_again FROM again;
    IF v_again IS NOT NULL THEN
        UPDATE vstate s SET done = s.done & (~v_again
            | CASE WHEN s.abi3_from IS NULL THEN 0 ELSE _abi3_mask(s.abi3_from) END
            | coalesce((SELECT bit_or(1::bigint << b.abi_id) FROM build b
                WHERE b.ver_id = s.ver_id AND _settles(b.outcome, b.attempt)), 0))
        WHERE s.ver_id = v_version.ver_id;
    END IF;

    UPDATE vstate s SET prio = least(s.prio, _prio(0, p_asked, p_pkg.pkg_id, s.ver_id, p_sort_key))
    WHERE s.ver_id = v_version.ver_id
    RETURNING * INTO v_state;
    UPDATE queue q SET prio = v_state.prio WHERE q.ver_id = v_state.ver_id AND q.prio <> v_state.prio;
    WITH due AS (DELETE FROM delayed d WHERE d.ver_id = v_state.ver_id RETURNING d.abi_id, d.attempt)
    INSERT INTO queue (ver_id, abi_id, prio, attempt)
    SELECT v_state.ver_id, due.abi_id, v_state.prio, due.attempt FROM due;
    PERFORM _open_next(v_state.ver_id);
    RETURN QUERY SELECT 'queued', a.tag FROM queue q JOIN abi a USING (abi_id) WHERE q.ver_id = v_state.ver_id;
    IF FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY SELECT CASE
        WHEN EXISTS (SELECT FROM lease l WHERE l.ver_id = v_state.ver_id AND l.ended IS NULL) THEN 'building'
        WHEN EXISTS (SELECT FROM file f WHERE f.ver_id = v_state.ver_id) THEN 'built'
        WHEN v_state.done <> 0 THEN 'failed'
        -- there is no ABI to build it for yet
        ELSE 'queued'
    END, NULL::text;
END
$$;
