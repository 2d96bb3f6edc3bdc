-- Takes skip() back: of a package, a version, or a package for one ABI; each by itself. What is to be built then is
-- queued; builds that were cancelled for it too (log_build.sql).
-- The answer: as skip()'s, with "reason" null; "why_not" is what else speaks against building it (of a package: against all
-- of its versions), or null.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.unskip(p_package text, p_sort_key bytea, p_abi text)
RETURNS TABLE (answer text, opened text[], cancelled bigint[], more boolean)
LANGUAGE sql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
    SELECT * FROM _set_skip(p_package, p_sort_key, p_abi, NULL)
$$;
