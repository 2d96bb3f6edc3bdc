-- The version of the tables and functions: the master works with its own only.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.schema_version() RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$ SELECT m.schema_version FROM meta m $$;
