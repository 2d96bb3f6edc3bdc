-- Every counter: what is kept, and what it follows from, of one moment. Scans everything. Of days, the last 59. Sums of durations and bytes are
-- counters of their own here, with ':amount' behind.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._counted() RETURNS TABLE (kind text, kept numeric, counted numeric)
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    WITH base AS (
        SELECT 'build:' || b.outcome AS kind, count(*)::numeric AS n, sum(b.duration_ms) AS amount FROM build b
        GROUP BY b.outcome
        UNION ALL
        SELECT _day_counter(d.day AT TIME ZONE 'UTC', d.outcome), d.n, 0
        FROM (
            SELECT date_trunc('day', b.built_at AT TIME ZONE 'UTC') AS day, b.outcome, count(*)::numeric AS n FROM build b
            WHERE b.built_at >= ((now() AT TIME ZONE 'UTC')::date - 58)::timestamp AT TIME ZONE 'UTC'
            GROUP BY 1, 2
        ) AS d
        UNION ALL SELECT 'file', count(*), coalesce(sum(f.size), 0) FROM file f
        UNION ALL SELECT 'package', count(*), 0 FROM package
        UNION ALL SELECT 'published', count(*), 0 FROM package p WHERE p.published
        UNION ALL SELECT 'version', count(*), 0 FROM version
        UNION ALL SELECT 'tried', count(DISTINCT b.ver_id), 0 FROM build b
    ), kept AS (
        SELECT o.kind, sum(o.n) AS n, sum(o.amount) AS amount FROM (
            SELECT t.kind, t.n, t.amount FROM stat_total t UNION ALL SELECT d.kind, d.n, d.amount FROM stat_delta d
        ) AS o
        WHERE o.kind <> 'download'
            AND (o.kind NOT LIKE 'day:%' OR substr(o.kind, 5, 10)::date >= (now() AT TIME ZONE 'UTC')::date - 58)
        GROUP BY o.kind
    ), compared AS (
        SELECT coalesce(b.kind, k.kind) AS kind, coalesce(k.n, 0) AS kept_n, coalesce(b.n, 0) AS n,
            coalesce(k.amount, 0) AS kept_amount, coalesce(b.amount, 0) AS amount
        FROM base b FULL JOIN kept k ON k.kind = b.kind
    )
    SELECT o.kind, o.kept_n, o.n FROM compared o
    UNION ALL SELECT o.kind || ':amount', o.kept_amount, o.amount FROM compared o
$$;
