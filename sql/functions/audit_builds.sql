-- Which of these numbers are of no build, and of none under way. At most 1,000.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.audit_builds(p_builds bigint[]) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
BEGIN
    IF p_builds IS NULL OR cardinality(p_builds) > 1000 OR array_position(p_builds, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'between 0 and 1,000 builds are asked for at a time' USING ERRCODE = '22023';
    END IF;
    RETURN jsonb_build_object('unknown', ARRAY(
        SELECT n FROM unnest(p_builds) AS n
        WHERE NOT EXISTS (SELECT FROM build b WHERE b.build_id = n)
            AND NOT EXISTS (SELECT FROM lease l WHERE l.build_id = n)
        ORDER BY n))::text;
END
$$;
