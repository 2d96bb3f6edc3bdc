-- The files of projects' pages: those that were published, and the names under which the operator has them offered to other
-- platforms (views/platform_alias.sql), each with the file that it is another name of. A name that a file has, or had, is
-- never an alias: published names do not change their bytes. What is withheld is among them, with its reason, and is on
-- no page.
-- Read for one pkg_id at a time: there is an index for that. Without aliases (EXISTS) the second half is not looked at.
-- May be read by: functions of this schema.
CREATE VIEW piw.page_file AS
SELECT f.pkg_id, f.ver_id, f.filename, NULL::text AS alias_of, f.size, f.sha256, f.requires_python, f.metadata_sha256,
    f.published_at, f.withheld, f.build_id, f.requires_dist
FROM piw.file f
UNION ALL
SELECT f.pkg_id, f.ver_id, n.filename, f.filename, f.size, f.sha256, f.requires_python, f.metadata_sha256, f.published_at,
    f.withheld, f.build_id, f.requires_dist
FROM piw.file f
JOIN unnest(ARRAY(SELECT a FROM piw.platform_alias a)) AS a ON f.platform_tag = a.platform
    AND right(f.filename, length(a.platform) + 5) = '-' || a.platform || '.whl'
CROSS JOIN LATERAL (
    SELECT left(f.filename, -length(a.platform) - 4) || a.alias || '.whl' AS filename
) AS n
WHERE EXISTS (SELECT FROM piw.platform_alias)
    AND NOT EXISTS (SELECT FROM piw.file o WHERE o.filename = n.filename)
    AND NOT EXISTS (SELECT FROM piw.withdrawn w WHERE w.filename = n.filename);
