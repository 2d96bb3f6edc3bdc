-- Of these versions, those and their ABIs for which attempts may be made again: with one of these outcomes, and
-- with p_delayed what waits for another attempt. Not where a wheel serves the ABI, unless the outcome is `built`, and not
-- where a slave is at it.
-- p_abi: of this ABI only; null for any.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._requeue_pairs(p_vers integer[], p_abi smallint, p_outcomes text[], p_delayed boolean)
RETURNS TABLE (ver_id integer, abis smallint[])
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    SELECT o.ver_id, array_agg(o.abi_id ORDER BY a.rank)
    FROM (
        SELECT b.ver_id, b.abi_id FROM build b
        WHERE b.ver_id = ANY (p_vers) AND NOT b.void AND b.outcome = ANY (p_outcomes)
        UNION
        SELECT d.ver_id, d.abi_id FROM delayed d WHERE p_delayed AND d.ver_id = ANY (p_vers) AND d.why = 'retry'
    ) AS o
    JOIN vstate s ON s.ver_id = o.ver_id
    JOIN abi a ON a.abi_id = o.abi_id
    WHERE o.abi_id = coalesce(p_abi, o.abi_id)
        AND ('built' = ANY (p_outcomes) OR NOT (s.covered OR _abi3_serves(s.abi3_from, a)
            OR EXISTS (SELECT FROM build n WHERE n.ver_id = o.ver_id AND n.abi_id = o.abi_id
                AND n.outcome = 'built' AND NOT n.void)))
        AND NOT EXISTS (SELECT FROM lease l WHERE l.ver_id = o.ver_id AND l.abi_id = o.abi_id AND l.ended IS NULL)
    GROUP BY o.ver_id ORDER BY o.ver_id
$$;
