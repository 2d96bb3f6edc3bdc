-- The list of all projects was compared to its end.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.feed_listed(p_etag text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
    UPDATE feed f SET list_etag = left(p_etag, 1000), listed_at = clock_timestamp()
$$;
