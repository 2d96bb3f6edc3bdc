-- What is to be in the web tree of one project, as JSON: its files in the order of their names after a given one (null: from
-- the beginning), with their names for other platforms, those too that are withheld from the page; the names that were
-- withdrawn and are just going (`pending`, with the first piece only); whether it is shown at all, whether it has a page of
-- builds, and whether its pages are to be written (`due`), when whoever reads the tree has to look again. `next` is
-- the last name, or null when there are no more. `known` is false, and all else empty, for a name that the farm does not
-- know. At most 1,000 files.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.audit_project(p_name text, p_after text, p_limit integer) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_pkg package;
BEGIN
    IF p_name IS NULL OR p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 1000 THEN
        RAISE EXCEPTION 'between 1 and 1,000 files of a project are asked for at a time' USING ERRCODE = '22023';
    END IF;
    SELECT p.* INTO v_pkg FROM package p WHERE p.name = p_name;
    RETURN (
        SELECT jsonb_build_object(
            'name', p_name,
            'known', v_pkg.pkg_id IS NOT NULL,
            'shown', coalesce(v_pkg.status <> 'quarantined', false),
            'builds', coalesce(v_pkg.status <> 'quarantined', false) AND EXISTS (
                SELECT FROM version v JOIN build b ON b.ver_id = v.ver_id WHERE v.pkg_id = v_pkg.pkg_id),
            'due', EXISTS (SELECT FROM rewrite r WHERE r.kind = 'project' AND r.pkg_id = v_pkg.pkg_id),
            'pending', CASE WHEN p_after IS NULL THEN ARRAY(
                SELECT w.filename FROM withdrawn w WHERE w.pkg_id = v_pkg.pkg_id AND w.pending ORDER BY w.filename)
                ELSE '{}' END,
            'next', CASE WHEN count(*) = p_limit THEN max(f.filename) END,
            'files', coalesce(jsonb_agg(jsonb_build_object(
                'filename', f.filename, 'alias_of', f.alias_of, 'size', f.size, 'sha256', encode(f.sha256, 'hex'),
                'metadata_sha256', encode(f.metadata_sha256, 'hex'), 'requires_python', f.requires_python,
                'yanked', f.yanked, 'withheld', f.withheld) ORDER BY f.filename), '[]'))::text
        FROM (
            SELECT o.filename COLLATE "C" AS filename, o.alias_of, o.size, o.sha256, o.metadata_sha256,
                o.requires_python, coalesce(v.yank, v.yanked) AS yanked, o.withheld
            FROM page_file o JOIN version v ON v.ver_id = o.ver_id
            WHERE o.pkg_id = v_pkg.pkg_id AND o.filename COLLATE "C" > coalesce(p_after, '')
            ORDER BY o.filename COLLATE "C" LIMIT p_limit
        ) AS f
    );
END
$$;
