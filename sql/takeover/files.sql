-- Files of builds that arrived and had made them. The original kept no METADATA.
ANALYZE pg_temp.original_file;
INSERT INTO piw.file (filename, build_id, pkg_id, ver_id, size, sha256, python_tag, abi_tag, platform_tag, published_at)
SELECT o.filename, b.build_id, v.pkg_id, v.ver_id, o.size, o.sha256, o.python_tag, o.abi_tag, o.platform_tag, b.built_at
FROM pg_temp.original_file o
JOIN piw.build b ON b.build_id = o.build_id AND b.outcome = 'built'
JOIN piw.version v ON v.ver_id = b.ver_id
ORDER BY v.pkg_id, v.ver_id;
DROP TABLE pg_temp.original_file;
ANALYZE piw.file;
