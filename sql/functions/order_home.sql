-- Orders the home page to be written. It is the master that knows when: a row that every build touched would be one that
-- all of them wait for.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.order_home() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
    INSERT INTO rewrite AS r (kind, pkg_id, ordered_at) VALUES ('home', 0, clock_timestamp())
    ON CONFLICT (kind, pkg_id) DO UPDATE SET ordered = nextval('rewrite_order_seq')
$$;
