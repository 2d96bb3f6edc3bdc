-- The farm in numbers (manual 8.13), from the counters: cheap at any size. The moment is now(): no index serves a
-- comparison with clock_timestamp(), which is another for every row.
--   packages_count, packages_built    that are known; that have files to show
--   versions_count, versions_tried    that are known; that were attempted at least once
--   builds_count, builds_success      attempts; those that made wheels
--   builds_last_hour                  attempts that were recorded in the last 60 minutes
--   builds_time, builds_size          milliseconds spent building; bytes of the files that are published
--   files_count                       published
--   downloads_last_month              of the last 30 days, today included
--   queued, unchecked, delayed, leased
--                                     jobs that wait, for a slave, for a page, for a moment; that are being built. At
--                                     most 100,000 of each are counted
--   pages_due, pages_waiting          pages that are to be written, at most 100,000 counted; seconds for which the one waits
--                                     that waits longest, those ordered in bulk not counted
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.statistics() RETURNS TABLE (
    packages_count bigint, packages_built bigint, versions_count bigint, versions_tried bigint, builds_count bigint,
    builds_success bigint, builds_last_hour bigint, builds_time bigint, builds_size bigint, files_count bigint,
    downloads_last_month bigint, queued bigint, unchecked bigint, delayed bigint, leased bigint,
    pages_due bigint, pages_waiting bigint
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
    WITH c AS (
        SELECT o.kind, sum(o.n) AS n, sum(o.amount) AS amount FROM (
            SELECT t.kind, t.n, t.amount FROM stat_total t UNION ALL SELECT d.kind, d.n, d.amount FROM stat_delta d
        ) AS o GROUP BY o.kind
    )
    SELECT
        coalesce(sum(c.n) FILTER (WHERE c.kind = 'package'), 0)::bigint,
        coalesce(sum(c.n) FILTER (WHERE c.kind = 'published'), 0)::bigint,
        coalesce(sum(c.n) FILTER (WHERE c.kind = 'version'), 0)::bigint,
        coalesce(sum(c.n) FILTER (WHERE c.kind = 'tried'), 0)::bigint,
        coalesce(sum(c.n) FILTER (WHERE c.kind LIKE 'build:%'), 0)::bigint,
        coalesce(sum(c.n) FILTER (WHERE c.kind = 'build:built'), 0)::bigint,
        (SELECT count(*) FROM build b WHERE b.built_at > now() - interval '1 hour'),
        coalesce(sum(c.amount) FILTER (WHERE c.kind LIKE 'build:%'), 0)::bigint,
        coalesce(sum(c.amount) FILTER (WHERE c.kind = 'file'), 0)::bigint,
        coalesce(sum(c.n) FILTER (WHERE c.kind = 'file'), 0)::bigint,
        (SELECT coalesce(sum(d.n), 0)::bigint FROM download_day d
            WHERE d.pkg_id = 0 AND d.day > (now() AT TIME ZONE 'UTC')::date - 30),
        (SELECT count(*) FROM (SELECT FROM queue q WHERE q.ready LIMIT 100000) AS few),
        (SELECT count(*) FROM (SELECT FROM queue q WHERE NOT q.ready LIMIT 100000) AS few),
        (SELECT count(*) FROM (SELECT FROM delayed LIMIT 100000) AS few),
        (SELECT count(*) FROM lease l WHERE l.ended IS NULL),
        (SELECT count(*) FROM (SELECT FROM rewrite LIMIT 100000) AS few),
        (SELECT coalesce(greatest(floor(extract(epoch FROM clock_timestamp() - min(r.ordered_at))), 0), 0)::bigint
            FROM rewrite r WHERE NOT r.bulk)
    FROM c
$$;
