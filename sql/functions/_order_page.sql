-- Orders a page to be written: a project's, or with 0 the root. Orders for one page are merged into the newest, whose
-- number is drawn under the row's lock: drawn earlier, it could come out below the one it follows, and a page that is
-- being written would count as done. One that waited as part of a bulk has its turn from now on.
-- In plpgsql, which keeps its plan: every recorded build comes by here.
-- May be called by: functions of this schema; last in a transaction, because the root is one row for all.
CREATE FUNCTION piw._order_page(p_pkg integer) RETURNS void
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
BEGIN
    INSERT INTO rewrite AS r (kind, pkg_id, ordered_at)
    VALUES (CASE WHEN p_pkg = 0 THEN 'root' ELSE 'project' END, p_pkg, clock_timestamp())
    ON CONFLICT (kind, pkg_id) DO UPDATE SET ordered = nextval('rewrite_order_seq'), bulk = false,
        ordered_at = CASE WHEN r.bulk THEN EXCLUDED.ordered_at ELSE r.ordered_at END;
END
$$;
