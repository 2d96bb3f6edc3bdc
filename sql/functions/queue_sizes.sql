-- How many jobs of each ABI and class (views/judgement.sql) wait for a slave: for every ABI that is built for, those without
-- jobs too. At most 10,000 of each are counted, which bounds what the question costs however long the queues are.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.queue_sizes() RETURNS TABLE (abi text, class smallint, jobs bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
    SELECT a.tag, c.class::smallint, (
        SELECT count(*) FROM (
            SELECT FROM queue q
            WHERE q.abi_id = a.abi_id AND q.ready AND q.prio >= c.class << 48 AND q.prio < (c.class + 1) << 48
            LIMIT 10000
        ) AS few)
    FROM abi a CROSS JOIN generate_series(0::bigint, 4) AS c(class)
    WHERE a.skip IS NULL
    ORDER BY a.rank, c.class
$$;
