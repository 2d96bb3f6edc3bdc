-- Spellings of one version, of one package's spellings, become one version. In the order of packages, newest first: until
-- its page says when it was released, the lower number is built first.
ANALYZE pg_temp.original_version;
INSERT INTO piw.version (pkg_id, version, sort_key, prerelease, skip)
SELECT p.pkg_id, min(o.canonical), o.sort_key, bool_or(o.prerelease),
    CASE WHEN bool_or(o.skip) THEN 'skipped by the original' END
FROM pg_temp.original_version o
JOIN pg_temp.original_package q ON q.package = o.package
JOIN piw.package p ON p.name = q.name
GROUP BY p.pkg_id, o.sort_key ORDER BY p.pkg_id, o.sort_key DESC;
ANALYZE piw.version;
-- What each of the original's has become.
CREATE TEMPORARY TABLE original_number ON COMMIT DROP AS
SELECT o.package, o.version, v.ver_id
FROM pg_temp.original_version o
JOIN pg_temp.original_package q ON q.package = o.package
JOIN piw.package p ON p.name = q.name
JOIN piw.version v ON v.pkg_id = p.pkg_id AND v.sort_key = o.sort_key;
DROP TABLE pg_temp.original_version;
ANALYZE pg_temp.original_number;
