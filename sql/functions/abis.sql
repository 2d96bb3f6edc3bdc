-- Every ABI the farm knows, by rank.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.abis() RETURNS TABLE (tag text, rank smallint, skip text, platforms text[])
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$ SELECT a.tag, a.rank, a.skip, a.platforms FROM abi a ORDER BY a.rank $$;
