-- The bits of the ABIs that are served from a Python on. Free-threaded builds have no stable ABI.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._abi3_mask(p_from integer) RETURNS bigint
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    SELECT coalesce(bit_or(1::bigint << a.abi_id), 0)
    FROM abi a
    WHERE a.py_major * 1000 + a.py_minor >= p_from AND a.flags NOT LIKE '%t%'
$$;
