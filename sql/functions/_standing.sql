-- How versions stand, as far as a walk can change it, in the order of the list: two answers differ where something did.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._standing(p_vers integer[]) RETURNS text[]
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    SELECT coalesce(array_agg(concat_ws(' ', s.blocked,
        (SELECT q.abi_id FROM queue q WHERE q.ver_id = u.ver_id LIMIT 1),
        (SELECT d.abi_id FROM delayed d WHERE d.ver_id = u.ver_id LIMIT 1)) ORDER BY u.place), '{}')
    FROM unnest(p_vers) WITH ORDINALITY AS u(ver_id, place) LEFT JOIN vstate s ON s.ver_id = u.ver_id
$$;
