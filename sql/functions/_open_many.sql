-- What _open_next.sql does, for many versions at once that had nothing open when their vstate rows were locked: each that
-- still has nothing gets its lowest ABI by rank that is still to be built for (views/target.sql). Returns the ABIs whose
-- queues got something that may be handed out. A fifth of the time that as many calls take.
-- The caller holds ROW SHARE on abi and the locks of the versions' vstate rows.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._open_many(p_vers integer[]) RETURNS smallint[]
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
DECLARE
    v_opened smallint[];
BEGIN
    WITH opened AS (
        INSERT INTO queue (ver_id, abi_id, prio, attempt, ready)
        SELECT s.ver_id, n.abi_id, s.prio, 1, s.checked
        FROM vstate s CROSS JOIN LATERAL (
            SELECT t.abi_id FROM target t WHERE t.ver_id = s.ver_id AND t.open ORDER BY t.rank LIMIT 1
        ) AS n
        WHERE s.ver_id = ANY (p_vers) AND NOT s.covered AND NOT s.blocked
            AND NOT EXISTS (SELECT FROM queue q WHERE q.ver_id = s.ver_id)
            AND NOT EXISTS (SELECT FROM delayed d WHERE d.ver_id = s.ver_id)
            AND NOT EXISTS (SELECT FROM lease l WHERE l.ver_id = s.ver_id AND l.ended IS NULL)
        RETURNING abi_id, ready
    )
    SELECT coalesce(array_agg(DISTINCT o.abi_id) FILTER (WHERE o.ready), '{}') INTO v_opened FROM opened o;
    RETURN v_opened;
END
$$;
