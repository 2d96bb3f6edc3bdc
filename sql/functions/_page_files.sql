-- The files of a project's page: those that were published, and the names under which the operator has them offered to
-- other platforms (views/platform_alias.sql), each with the file that it is another name of. A name that a file has, or
-- had, is never an alias: published names do not change their bytes. What is withheld is among them, with its reason, and
-- is on no page.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._page_files(p_pkg integer)
RETURNS TABLE (ver_id integer, filename text, alias_of text, size bigint, sha256 bytea, requires_python text,
    metadata_sha256 bytea, published_at timestamptz, withheld text, build_id bigint, requires_dist text[])
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    SELECT f.ver_id, f.filename, NULL, f.size, f.sha256, f.requires_python, f.metadata_sha256, f.published_at, f.withheld,
        f.build_id, f.requires_dist
    FROM file f WHERE f.pkg_id = p_pkg
    UNION ALL
    SELECT f.ver_id, n.filename, f.filename, f.size, f.sha256, f.requires_python, f.metadata_sha256, f.published_at, f.withheld,
        f.build_id, f.requires_dist
    FROM platform_alias a
    JOIN file f ON f.pkg_id = p_pkg AND f.platform_tag = a.platform
        AND right(f.filename, length(a.platform) + 5) = '-' || a.platform || '.whl'
    CROSS JOIN LATERAL (
        SELECT left(f.filename, -length(a.platform) - 4) || a.alias || '.whl' AS filename
    ) AS n
    WHERE NOT EXISTS (SELECT FROM file o WHERE o.filename = n.filename)
        AND NOT EXISTS (SELECT FROM withdrawn w WHERE w.filename = n.filename)
$$;
