-- Orders the pages of these projects to be written; the same one may be named twice, and null is none. In the order of
-- their numbers, so that two callers lock in one order.
-- May be called by: functions of this schema; last in a transaction, as _order_page.sql says.
CREATE FUNCTION piw._order_pages(p_pkgs integer[]) RETURNS void
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
BEGIN
    PERFORM _order_page(o.pkg_id)
    FROM (SELECT DISTINCT u.pkg_id FROM unnest(p_pkgs) AS u(pkg_id) WHERE u.pkg_id IS NOT NULL ORDER BY u.pkg_id OFFSET 0) AS o;
END
$$;
