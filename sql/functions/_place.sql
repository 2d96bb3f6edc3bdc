-- The place of a queue row in its ABI's queue, from 1; null beyond 1,000, where nobody counts.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._place(p_abi smallint, p_prio bigint, p_ver integer) RETURNS bigint
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    SELECT CASE WHEN before.n < 1000 THEN before.n + 1 END
    FROM (
        SELECT count(*) AS n
        FROM ((SELECT FROM queue q WHERE q.abi_id = p_abi AND q.ready AND (q.prio, q.ver_id) < (p_prio, p_ver)
                ORDER BY q.prio, q.ver_id LIMIT 1000)
            UNION ALL
            (SELECT FROM queue q WHERE q.abi_id = p_abi AND NOT q.ready AND (q.prio, q.ver_id) < (p_prio, p_ver)
                ORDER BY q.prio, q.ver_id LIMIT 1000)) AS few
    ) AS before
$$;
