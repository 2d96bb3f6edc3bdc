-- Downloads, those of files that stay behind included: they say how popular a package is. A partition for each month
-- (UTC), the counts by day, and what follows from them.
SELECT piw._download_partition(m.month)
FROM (SELECT DISTINCT date_trunc('month', d.accessed_at)::date AS month FROM pg_temp.original_download d
    WHERE d.arrives ORDER BY month) AS m;
INSERT INTO piw.download (filename, pkg_id, at, address, arch, distro_name, distro_version, os_name, os_version, py_name,
    py_version)
SELECT d.filename, p.pkg_id, d.accessed_at AT TIME ZONE 'UTC', d.accessed_by, nullif(d.arch, ''),
    nullif(d.distro_name, ''), nullif(d.distro_version, ''), nullif(d.os_name, ''), nullif(d.os_version, ''),
    nullif(d.py_name, ''), nullif(d.py_version, '')
FROM pg_temp.original_download d
LEFT JOIN public.files f ON f.filename = d.filename
LEFT JOIN public.builds b ON b.build_id = f.build_id
LEFT JOIN pg_temp.original_package q ON q.package = b.package
LEFT JOIN piw.package p ON p.name = q.name
WHERE d.arrives;
INSERT INTO piw.download_day (day, pkg_id, n)
SELECT o.day, o.pkg_id, count(*)
FROM (
    SELECT (d.at AT TIME ZONE 'UTC')::date AS day, c.pkg_id
    FROM piw.download d CROSS JOIN LATERAL (VALUES (0), (d.pkg_id)) AS c(pkg_id)
    WHERE c.pkg_id IS NOT NULL
) AS o
GROUP BY o.day, o.pkg_id;
INSERT INTO piw.stat_delta (kind, n, amount)
SELECT 'download', count(*), coalesce(sum(f.size), 0)
FROM piw.download d LEFT JOIN piw.file f ON f.filename = d.filename
HAVING count(*) > 0;
-- as the daily look at them has it (functions/roll_popularity.sql)
UPDATE piw.package p SET dl_bucket = piw._dl_bucket(o.n)
FROM (
    SELECT d.pkg_id, sum(d.n)::bigint AS n FROM piw.download_day d
    WHERE d.day BETWEEN (clock_timestamp() AT TIME ZONE 'UTC')::date - 29 AND (clock_timestamp() AT TIME ZONE 'UTC')::date
    GROUP BY d.pkg_id
) AS o
WHERE o.pkg_id = p.pkg_id;
