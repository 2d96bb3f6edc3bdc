-- The bits of the ABIs that a version's recorded attempts settle: what vstate.done keeps.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._done(p_ver integer) RETURNS bigint
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    SELECT coalesce(bit_or(1::bigint << b.abi_id), 0) FROM build b
    WHERE b.ver_id = p_ver AND NOT b.void AND _settles(b.outcome, b.attempt)
$$;
