-- What the schema is made of, a line for each: everything by its name, and nothing by its number or its place, because
-- columns that were added stand behind the others.
WITH own AS (
    SELECT c.*, c.relname::text AS name FROM pg_class c WHERE c.relnamespace = 'piw'::regnamespace
), granted AS (
    SELECT 'relation ' || o.relname AS what, a.* FROM own o, aclexplode(o.relacl) a
    UNION ALL SELECT 'function ' || f.oid::regprocedure, a.* FROM pg_proc f, aclexplode(f.proacl) a
        WHERE f.pronamespace = 'piw'::regnamespace
    UNION ALL SELECT 'type ' || t.typname, a.* FROM pg_type t, aclexplode(t.typacl) a
        WHERE t.typnamespace = 'piw'::regnamespace
    UNION ALL SELECT 'schema', a.* FROM pg_namespace n, aclexplode(n.nspacl) a WHERE n.nspname = 'piw'
)
SELECT concat_ws(' | ', 'relation', o.name, o.relkind, o.relpersistence, o.relowner::regrole,
    (SELECT string_agg(r.option, ' ' ORDER BY r.option) FROM unnest(o.reloptions) AS r(option)),
    pg_get_partkeydef(o.oid)) AS line
FROM own o
UNION ALL
SELECT concat_ws(' | ', 'column', o.name, a.attname, format_type(a.atttypid, a.atttypmod),
    CASE WHEN a.attnotnull THEN 'not null' END, 'default ' || pg_get_expr(d.adbin, d.adrelid),
    'generated ' || nullif(a.attgenerated::text, ''), 'identity ' || nullif(a.attidentity::text, ''),
    'storage ' || a.attstorage::text, 'collation ' || nullif(a.attcollation, 0)::regcollation::text)
FROM own o JOIN pg_attribute a ON a.attrelid = o.oid AND a.attnum > 0 AND NOT a.attisdropped
LEFT JOIN pg_attrdef d ON d.adrelid = o.oid AND d.adnum = a.attnum
-- those of indexes stand in their definitions
WHERE o.relkind NOT IN ('i', 'I')
UNION ALL
SELECT concat_ws(' | ', 'constraint', c.conrelid::regclass, c.conname, c.convalidated, pg_get_constraintdef(c.oid))
FROM pg_constraint c WHERE c.connamespace = 'piw'::regnamespace
UNION ALL
SELECT concat_ws(' | ', 'index', i.indexrelid::regclass, i.indisvalid, pg_get_indexdef(i.indexrelid))
FROM pg_index i JOIN own o ON o.oid = i.indexrelid
UNION ALL
SELECT concat_ws(' | ', 'sequence', s.seqrelid::regclass, s.seqtypid::regtype, s.seqstart, s.seqincrement, s.seqmax,
    s.seqmin, s.seqcache, s.seqcycle,
    (SELECT d.refobjid::regclass || '.' || a.attname FROM pg_depend d
        JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE d.objid = s.seqrelid AND d.classid = 'pg_class'::regclass AND d.deptype IN ('a', 'i')))
FROM pg_sequence s JOIN own o ON o.oid = s.seqrelid
UNION ALL
SELECT concat_ws(' | ', 'function', f.oid::regprocedure, pg_get_function_result(f.oid), f.proowner::regrole,
    md5(pg_get_functiondef(f.oid)))
FROM pg_proc f WHERE f.pronamespace = 'piw'::regnamespace
UNION ALL
SELECT concat_ws(' | ', 'view', o.name, md5(pg_get_viewdef(o.oid))) FROM own o WHERE o.relkind = 'v'
UNION ALL
SELECT concat_ws(' | ', 'trigger', t.tgrelid::regclass, t.tgname, t.tgenabled)
FROM pg_trigger t JOIN own o ON o.oid = t.tgrelid WHERE NOT t.tgisinternal
UNION ALL
SELECT concat_ws(' | ', 'grant', g.what, g.grantor::regrole,
    CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END, g.privilege_type, g.is_grantable)
FROM granted g
UNION ALL
SELECT concat_ws(' | ', 'schema', n.nspowner::regrole) FROM pg_namespace n WHERE n.nspname = 'piw'
ORDER BY line
