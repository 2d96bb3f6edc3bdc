-- Names of projects with files, in byte order, after a given one (null: from the beginning), each with how much it is
-- downloaded (package.dl_bucket). At most 10,000.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.root_names(p_after text, p_limit integer) RETURNS TABLE (name text, downloads smallint)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
BEGIN
    IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION 'between 1 and 10,000 names are asked for at a time' USING ERRCODE = '22023';
    END IF;
    RETURN QUERY SELECT p.name, p.dl_bucket FROM package p
        WHERE p.published AND p.name > coalesce(p_after, '') ORDER BY p.name LIMIT p_limit;
END
$$;
