-- What a version's files settle beyond the ABIs that they were built for: whether a build made nothing but files without
-- ABI, which serve every ABI; and from which Python on abi3 files do. What vstate.covered and abi3_from keep. Files of
-- attempts that were taken as never made stay published and settle nothing.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._coverage(p_ver integer, OUT covered boolean, OUT abi3_from integer)
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    SELECT coalesce(bool_or(m.pure), false), min(m.abi3_from)
    FROM (
        SELECT 'none' = ALL (array_agg(f.abi_tag)) AS pure,
            _abi3_from(array_agg(f.python_tag), array_agg(f.abi_tag)) AS abi3_from
        FROM file f JOIN build b ON b.build_id = f.build_id
        WHERE f.ver_id = p_ver AND NOT b.void
        GROUP BY f.build_id
    ) AS m
$$;
