-- Refuses, with SQLSTATE 22023, what is no order of a page (see rewrites_done).
-- May be called by: functions of this schema.
CREATE FUNCTION piw._check_order(p_kind text, p_name text, p_ordered bigint) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = piw, pg_temp
AS $$
BEGIN
    IF p_kind IS NULL OR p_kind NOT IN ('project', 'root', 'home') OR p_ordered IS NULL
        OR (p_kind = 'project' AND coalesce(p_name, '') = '')
    THEN
        RAISE EXCEPTION 'no page that there is, or no order' USING ERRCODE = '22023';
    END IF;
END
$$;
