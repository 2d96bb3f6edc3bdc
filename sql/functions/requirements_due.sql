-- Requirements to be looked up next, at most p_limit, oldest first.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.requirements_due(p_limit integer) RETURNS TABLE (
    req_id bigint, name text, specifiers text, extras text, of text
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
BEGIN
    IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 100 THEN
        RAISE EXCEPTION 'between 1 and 100 requirements at a time' USING ERRCODE = '22023';
    END IF;
    RETURN QUERY SELECT r.req_id, r.name, r.specifiers, r.extras, r.of FROM requirement r
        WHERE r.refused IS NULL AND r.met_at IS NULL AND r.due <= now()
        ORDER BY r.due, r.req_id LIMIT p_limit;
END
$$;
