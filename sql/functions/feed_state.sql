-- How far the index was followed: the last serial in the tables, the one to ask from (settled), when the changelog and the
-- list of projects last answered (seconds since 1970, null: never), the list's ETag.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.feed_state()
RETURNS TABLE (serial bigint, settled bigint, heard_at bigint, listed_at bigint, list_etag text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
    SELECT f.serial, f.settled, extract(epoch FROM f.heard_at)::bigint, extract(epoch FROM f.listed_at)::bigint, f.list_etag
    FROM feed f
$$;
