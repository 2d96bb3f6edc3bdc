-- {projects} projects with five versions that were built for every ABI. Run by a super-user on an empty database.
SET session_replication_role = replica;
INSERT INTO piw.package (name, display, published)
SELECT 'project-' || lpad(n::text, 6, '0'), 'Project-' || lpad(n::text, 6, '0'), true FROM generate_series(1, {projects}) AS n;
INSERT INTO piw.version (pkg_id, version, sort_key, released, prerelease)
SELECT p.pkg_id, v || '.0', decode(lpad(to_hex(v), 2, '0'), 'hex'), now() - make_interval(days => 100 - v), false
FROM piw.package p CROSS JOIN generate_series(1, 5) AS v;
INSERT INTO piw.vstate (ver_id, prio, done)
SELECT v.ver_id, 1, (SELECT bit_or(1::bigint << a.abi_id) FROM piw.abi a) FROM piw.version v;
INSERT INTO piw.build (build_id, ver_id, abi_id, attempt, slave, outcome, secret, built_at, duration_ms, log_bytes)
SELECT row_number() OVER (), v.ver_id, a.abi_id, 1, 'pi', 'built', decode(md5(v.ver_id || ' ' || a.tag), 'hex'), now(), 60000, 0
FROM piw.version v CROSS JOIN piw.abi a;
INSERT INTO piw.file (filename, build_id, pkg_id, ver_id, size, sha256, python_tag, abi_tag, platform_tag, requires_python,
    metadata_sha256, published_at)
SELECT replace(p.name, '-', '_') || '-' || v.version || '-' || a.tag || '-' || a.tag || '-linux_armv7l.whl', b.build_id,
    p.pkg_id, v.ver_id, 100000 + b.build_id, sha256(int8send(b.build_id)), a.tag, a.tag, 'linux_armv7l', '>=3.9',
    sha256(int8send(-b.build_id)), now()
FROM piw.build b JOIN piw.version v ON v.ver_id = b.ver_id JOIN piw.package p ON p.pkg_id = v.pkg_id
JOIN piw.abi a ON a.abi_id = b.abi_id;
VACUUM ANALYZE;
