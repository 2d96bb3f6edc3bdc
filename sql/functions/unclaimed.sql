-- Which of these names in a project's directory nothing stands for: no file of its, shown or withheld, no name of one for
-- another platform, no `.metadata` of such, none that is just going; and of a project that the farm does not know, whatever
-- is there. A page of a project that it knows is never among them: that is its writer's. At most 1,000 names.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.unclaimed(p_project text, p_names text[]) RETURNS SETOF text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_pkg integer;
BEGIN
    IF p_project IS NULL OR p_names IS NULL OR cardinality(p_names) > 1000 OR array_position(p_names, NULL) IS NOT NULL
    THEN
        RAISE EXCEPTION 'between 0 and 1,000 names are asked for at a time' USING ERRCODE = '22023';
    END IF;
    SELECT p.pkg_id INTO v_pkg FROM package p WHERE p.name = p_project;
    RETURN QUERY
        WITH kept AS MATERIALIZED (SELECT f.filename FROM page_file f WHERE f.pkg_id = v_pkg)
        SELECT n FROM unnest(p_names) AS n
        CROSS JOIN LATERAL (SELECT regexp_replace(n, '\.metadata$', '') AS wheel) AS w
        WHERE v_pkg IS NULL OR (
            n !~ '^index\.(html|v1_json)(\.gz)?$'
            AND NOT EXISTS (SELECT FROM withdrawn o WHERE o.filename IN (n, w.wheel) AND o.pending)
            AND NOT EXISTS (SELECT FROM kept f WHERE f.filename IN (n, w.wheel)))
        ORDER BY n;
END
$$;
