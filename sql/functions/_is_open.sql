-- Whether a version may be built for an ABI: neither an attempt nor an abi3 wheel settles it, and nothing speaks against
-- it. Whether the version itself is open is not asked.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._is_open(p_state piw.vstate, p_abi smallint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    SELECT (p_state.done >> p_abi) & 1 = 0 AND EXISTS (
        SELECT FROM abi a, version v
        WHERE a.abi_id = p_abi AND v.ver_id = p_state.ver_id
            AND NOT _abi3_serves(p_state.abi3_from, a) AND _off(v, a) IS NULL)
$$;
