-- The index is followed from where the original was.
UPDATE piw.feed SET serial = greatest(c.pypi_serial, 0), settled = greatest(c.pypi_serial, 0)
FROM public.configuration c;
-- Whatever is known gets its pages, those with files and attempts first.
INSERT INTO piw.rewrite (kind, pkg_id, ordered_at, bulk)
SELECT 'project', o.pkg_id, now(), NOT o.tried
FROM (SELECT v.pkg_id, bool_or(EXISTS (SELECT FROM piw.build b WHERE b.ver_id = v.ver_id)) AS tried
    FROM piw.version v GROUP BY v.pkg_id ORDER BY v.pkg_id) AS o;
