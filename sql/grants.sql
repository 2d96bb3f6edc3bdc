-- Who may call what. A function whose name begins with an underscore is for functions of this schema; every other one
-- is for the farm's login roles, which have no rights on tables at all.
REVOKE ALL ON SCHEMA piw FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA piw FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA piw FROM PUBLIC;

-- Lets a login role use the farm.
-- May be called by: piw-initdb.
CREATE FUNCTION piw._admit(p_role name) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_function regprocedure;
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA piw TO %I', p_role);
    FOR v_function IN
        SELECT f.oid FROM pg_proc f WHERE f.pronamespace = 'piw'::regnamespace AND f.proname NOT LIKE '\_%'
    LOOP
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %I', v_function, p_role);
    END LOOP;
END
$$;

-- Whether a role has been admitted, to every function there is.
-- May be called by: piw-initdb.
CREATE FUNCTION piw._is_admitted(p_role name) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
    SELECT has_schema_privilege(p_role, 'piw', 'USAGE') AND bool_and(has_function_privilege(p_role, f.oid, 'EXECUTE'))
    FROM pg_proc f WHERE f.pronamespace = 'piw'::regnamespace AND f.proname NOT LIKE '\_%'
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA piw FROM PUBLIC;
