-- Adds the counters' deltas to their totals, 20,000 at most, and forgets those of days long past. One caller at a time;
-- the sweep sees to that.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._fold_stats() RETURNS void
LANGUAGE sql SET search_path = piw, pg_temp
AS $$
    WITH gone AS (
        DELETE FROM stat_delta d WHERE d.ctid = ANY (ARRAY(SELECT o.ctid FROM stat_delta o LIMIT 20000))
        RETURNING d.kind, d.n, d.amount
    )
    INSERT INTO stat_total AS t (kind, n, amount)
    SELECT gone.kind, sum(gone.n), sum(gone.amount) FROM gone GROUP BY gone.kind
    ON CONFLICT (kind) DO UPDATE SET n = t.n + EXCLUDED.n, amount = t.amount + EXCLUDED.amount;
    DELETE FROM stat_total t
    WHERE t.kind LIKE 'day:%' AND substr(t.kind, 5, 10)::date < (now() AT TIME ZONE 'UTC')::date - 60
$$;
