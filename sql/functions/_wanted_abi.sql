-- The ABI that a version is to be built for next: the lowest by rank that neither an attempt, nor an abi3 wheel settles,
-- and that nothing speaks against (_off.sql); null when there is none. Whether the version itself is open is not asked.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._wanted_abi(p_state piw.vstate) RETURNS smallint
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    SELECT a.abi_id FROM abi a, version v
    WHERE v.ver_id = p_state.ver_id AND (p_state.done >> a.abi_id) & 1 = 0
        AND NOT _abi3_serves(p_state.abi3_from, a)
        AND _off(v, a) IS NULL
    ORDER BY a.rank LIMIT 1
$$;
