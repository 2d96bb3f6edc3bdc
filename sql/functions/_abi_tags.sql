-- The tags of ABIs by rank, each once.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._abi_tags(p_abis smallint[]) RETURNS text[]
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$ SELECT ARRAY(SELECT a.tag FROM abi a WHERE a.abi_id = ANY (p_abis) ORDER BY a.rank) $$;
