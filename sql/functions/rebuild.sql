-- Has pages written again; nothing is built by it:
--   home      the home page                      index  the root index
--   project   the pages of these projects, or with no names of all that have some
--   all       everything
-- Names are canonical. One that is not known refuses the order, and is named. An order for a few projects has its turn with
-- all others; one for all of them is carried out beside the farm's own (rewrites_due.sql), and given in pieces: p_after is
-- what the answer before named as next, 0 for the first.
-- Answer: how many pages are ordered, those of one project counted as one.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.rebuild(p_what text, p_names text[], p_after integer)
RETURNS TABLE (answer text, opened text[], cancelled bigint[], more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    c_at_once CONSTANT integer := 20000;
    v_unknown text;
    v_end integer;
    v_looked bigint;
    v_count bigint := 0;
    v_more bigint := 0;
BEGIN
    IF p_what IS NULL OR p_what NOT IN ('home', 'project', 'index', 'all') OR p_names IS NULL OR p_after IS NULL
        OR p_after < 0 OR (p_names <> '{}' AND p_what <> 'project')
    THEN
        RAISE EXCEPTION 'what can be rebuilt is home, project, index and all, and only project takes names'
            USING ERRCODE = '22023';
    END IF;
    SELECT string_agg(u.name, ', ' ORDER BY u.name) INTO v_unknown FROM unnest(p_names) AS u(name)
    WHERE NOT EXISTS (SELECT FROM package p WHERE p.name = u.name);
    IF v_unknown IS NOT NULL THEN
        RAISE EXCEPTION 'the farm does not know %', left(v_unknown, 900) USING ERRCODE = '22023';
    END IF;
    IF p_names <> '{}' THEN
        SELECT count(o.pkg_id) INTO v_count FROM (
            SELECT p.pkg_id, _order_page(p.pkg_id) FROM package p WHERE p.name = ANY (p_names) ORDER BY p.pkg_id OFFSET 0
        ) AS o;
    ELSIF p_what IN ('project', 'all') THEN
        SELECT max(o.pkg_id), count(*) INTO v_end, v_looked
        FROM (SELECT p.pkg_id FROM package p WHERE p.pkg_id > p_after ORDER BY p.pkg_id LIMIT c_at_once) AS o;
        INSERT INTO rewrite AS r (kind, pkg_id, ordered_at, bulk)
        SELECT 'project', p.pkg_id, clock_timestamp(), true FROM package p
        WHERE p.pkg_id > p_after AND p.pkg_id <= v_end AND (EXISTS (SELECT FROM version v WHERE v.pkg_id = p.pkg_id)
            OR EXISTS (SELECT FROM withdrawn w WHERE w.pkg_id = p.pkg_id))
        ORDER BY p.pkg_id
        ON CONFLICT (kind, pkg_id) DO UPDATE SET ordered = nextval('rewrite_order_seq');
        GET DIAGNOSTICS v_count = ROW_COUNT;
    END IF;
    IF p_after = 0 THEN
        INSERT INTO rewrite AS r (kind, pkg_id, ordered_at)
        SELECT o.kind, 0, clock_timestamp() FROM (VALUES ('home'), ('root')) AS o(kind)
        WHERE p_what = 'all' OR o.kind = CASE p_what WHEN 'index' THEN 'root' ELSE p_what END
        ORDER BY o.kind
        ON CONFLICT (kind, pkg_id) DO UPDATE SET ordered = nextval('rewrite_order_seq');
        GET DIAGNOSTICS v_more = ROW_COUNT;
    END IF;
    RETURN QUERY SELECT
        jsonb_build_object('pages', v_count + v_more, 'next', CASE WHEN v_looked = c_at_once THEN v_end END)::text,
        '{}'::text[], '{}'::bigint[], coalesce(v_looked = c_at_once, false);
END
$$;
