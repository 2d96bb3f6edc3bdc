-- A pattern of names (table block) as LIKE takes it: `*` stands for any characters. Names no table, so that it may be
-- expanded in place.
-- May be called by: functions and views of this schema.
CREATE FUNCTION piw._like(p_pattern text) RETURNS text
LANGUAGE sql IMMUTABLE
AS $$ SELECT replace(replace(replace(p_pattern, '\', '\\'), '_', '\_'), '*', '%') $$;
