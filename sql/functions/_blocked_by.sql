-- Why a name is never built; null when nothing blocks it.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._blocked_by(p_name text) RETURNS text
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    SELECT b.reason FROM block b
    WHERE p_name LIKE replace(replace(replace(b.pattern, '\', '\\'), '_', '\_'), '*', '%')
    ORDER BY b.pattern LIMIT 1
$$;
