-- Refuses, with SQLSTATE 22023, what are no orders of pages, or more than 64 (rewrites_done.sql).
-- May be called by: functions of this schema.
CREATE FUNCTION piw._check_orders(p_kinds text[], p_names text[], p_ordered bigint[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = piw, pg_temp
AS $$
BEGIN
    IF p_kinds IS NULL OR cardinality(p_kinds) > 64
        OR NOT coalesce(cardinality(p_kinds) = ALL (ARRAY[cardinality(p_names), cardinality(p_ordered)]), false)
    THEN
        RAISE EXCEPTION 'more than 64 orders, or lists of different lengths' USING ERRCODE = '22023';
    END IF;
    IF EXISTS (
        SELECT FROM unnest(p_kinds, p_names, p_ordered) AS o(kind, name, ordered)
        WHERE o.kind IS NULL OR o.kind NOT IN ('project', 'root', 'home') OR o.ordered IS NULL
            OR (o.kind = 'project' AND coalesce(o.name, '') = '')
    ) THEN
        RAISE EXCEPTION 'no page that there is, or no order' USING ERRCODE = '22023';
    END IF;
END
$$;
