-- Spellings of one name become one package, shown as the first of them; what one of them says of skipping holds for all.
INSERT INTO piw.package (name, display, skip)
SELECT o.name, min(o.package COLLATE "C"), CASE WHEN bool_or(o.skip) THEN 'skipped by the original' END
FROM pg_temp.original_package o
GROUP BY o.name ORDER BY o.name;
ANALYZE pg_temp.original_package, piw.package;
