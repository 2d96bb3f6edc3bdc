-- What somebody asked for in version 1 becomes a wish for exactly that version: nobody knows whether newer ones were meant
-- too, and nothing is built unasked. `piw add NAME` makes a wider one. Their projects' pages are read from now on.
INSERT INTO piw.wish (pkg_id, specifiers, asked_at, deps)
SELECT v.pkg_id, '==' || v.version, now(), false
FROM piw.version v JOIN piw.vstate s ON s.ver_id = v.ver_id
WHERE s.asked IS NOT NULL;
UPDATE piw.package p SET read_due = now() WHERE EXISTS (SELECT FROM piw.wish w WHERE w.pkg_id = p.pkg_id);

-- Every project has a page of its own now. What is ordered already keeps its place.
INSERT INTO piw.rewrite (kind, pkg_id, ordered_at, bulk)
SELECT 'project', o.pkg_id, now(), true
FROM (SELECT DISTINCT v.pkg_id FROM piw.version v ORDER BY v.pkg_id) AS o
ON CONFLICT (kind, pkg_id) DO NOTHING;
