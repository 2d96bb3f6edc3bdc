-- Everything that the home page is made from, as JSON; from counters and the ends of indexes, cheap at any size.
--   statistics   as functions/statistics.sql has them, without those of the last hour, which change when nothing happens
--   days         the last 30 days (UTC), today included and oldest first: {day, builds, downloads}; builds: {outcome: n}
--   recent       the 12 builds that were recorded last, newest first, none of a project under quarantine: {build, project,
--                display, version, abi, outcome, at, duration_ms}; `at` as 2026-01-31T23:59:59Z
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.home() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
    WITH counter AS (
        SELECT substr(o.kind, 5, 10) AS day, substr(o.kind, 16) AS outcome, sum(o.n)::bigint AS n FROM (
            SELECT t.kind, t.n FROM stat_total t UNION ALL SELECT d.kind, d.n FROM stat_delta d
        ) AS o
        WHERE o.kind LIKE 'day:%' GROUP BY o.kind HAVING sum(o.n) > 0
    )
    SELECT json_build_object(
        'statistics', (SELECT to_jsonb(s) - 'builds_last_hour' FROM statistics() s),
        'days', (
            SELECT json_agg(json_build_object('day', y.day,
                'builds', (SELECT coalesce(json_object_agg(c.outcome, c.n ORDER BY c.outcome), '{}') FROM counter c
                    WHERE c.day = y.day::text),
                'downloads', (SELECT coalesce(max(d.n), 0) FROM download_day d WHERE d.day = y.day AND d.pkg_id = 0))
                ORDER BY y.day)
            FROM (SELECT (now() AT TIME ZONE 'UTC')::date - g AS day FROM generate_series(0, 29) AS g) AS y
        ),
        'recent', (
            SELECT coalesce(json_agg(r ORDER BY r.at DESC, r.build DESC), '[]') FROM (
                SELECT b.build_id AS build, p.name AS project, p.display, v.version, a.tag AS abi, b.outcome,
                    to_char(b.built_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS at, b.duration_ms
                FROM (SELECT * FROM build ORDER BY built_at DESC LIMIT 40) AS b
                JOIN version v ON v.ver_id = b.ver_id JOIN package p ON p.pkg_id = v.pkg_id JOIN abi a ON a.abi_id = b.abi_id
                WHERE p.status <> 'quarantined' ORDER BY b.built_at DESC, b.build_id DESC LIMIT 12
            ) AS r
        )
    )::text
$$;
