-- The index is followed from where the original was.
UPDATE piw.feed SET serial = greatest(c.pypi_serial, 0), settled = greatest(c.pypi_serial, 0)
FROM public.configuration c;
-- Whatever was attempted gets its pages.
INSERT INTO piw.rewrite (kind, pkg_id, ordered_at)
SELECT 'project', o.pkg_id, now()
FROM (SELECT DISTINCT v.pkg_id FROM piw.build b JOIN piw.version v ON v.ver_id = b.ver_id ORDER BY v.pkg_id) AS o;
