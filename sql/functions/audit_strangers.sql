-- Which of these names are of no project that something may be in the web tree of (_is_kept.sql). At most 1,000 names.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.audit_strangers(p_names text[]) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
BEGIN
    IF p_names IS NULL OR cardinality(p_names) > 1000 OR array_position(p_names, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'between 0 and 1,000 names are asked for at a time' USING ERRCODE = '22023';
    END IF;
    RETURN jsonb_build_object('strangers', ARRAY(
        SELECT n FROM unnest(p_names) AS n
        WHERE NOT EXISTS (SELECT FROM package p WHERE p.name = n AND (p.published OR _is_kept(p.pkg_id)))
        ORDER BY n))::text;
END
$$;
