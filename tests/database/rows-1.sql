-- A farm of schema version 1 with rows of every kind, sound by its own rules.
INSERT INTO piw.meta (schema_version) VALUES (1);
INSERT INTO piw.abi (abi_id, tag, rank, skip) VALUES
    (1, 'cp311', 6022, NULL), (2, 'cp39', 6018, NULL), (3, 'cp313t', 6027, NULL), (4, 'cp34m', 6009, 'too old');

INSERT INTO piw.package (pkg_id, name, display, skip, published) OVERRIDING SYSTEM VALUE VALUES
    (1, 'pure', 'Pure', NULL, true), (2, 'native', 'native', NULL, true), (3, 'stable', 'Stable', NULL, true),
    (4, 'broken', 'broken', NULL, false), (5, 'called-off', 'called_off', NULL, false),
    (6, 'asked-again', 'asked-again', NULL, false), (7, 'slow', 'slow', NULL, false),
    (8, 'on-a-board', 'on-a-board', NULL, false), (9, 'withdrawn', 'withdrawn', NULL, false),
    (10, 'unwanted', 'unwanted', 'patents', false), (11, 'many', 'many', NULL, false), (12, 'empty', 'empty', NULL, false);
SELECT setval('piw.package_pkg_id_seq', 12);

INSERT INTO piw.version (ver_id, pkg_id, version, sort_key, released, skip, yanked, prerelease)
OVERRIDING SYSTEM VALUE VALUES
    (1, 1, '1.0', '\x01', '2024-01-01Z', NULL, NULL, false), (2, 2, '1.0', '\x01', '2024-01-02Z', NULL, NULL, false),
    (3, 3, '2.0', '\x01', '2024-01-03Z', NULL, NULL, false), (4, 4, '1.0', '\x01', NULL, NULL, NULL, false),
    (5, 5, '1.0', '\x01', NULL, NULL, NULL, false), (6, 6, '1.0', '\x01', NULL, NULL, NULL, false),
    (7, 7, '1.0', '\x01', NULL, NULL, NULL, false), (8, 8, '1.0', '\x01', NULL, NULL, NULL, false),
    (9, 9, '1.0', '\x01', NULL, NULL, 'a mistake', false), (10, 10, '1.0', '\x01', NULL, NULL, NULL, false),
    (11, 11, '1.0', '\x03', NULL, NULL, NULL, false), (12, 11, '0.9', '\x01', NULL, 'does not build', NULL, false),
    (13, 11, '2.0a1', '\x05', NULL, NULL, NULL, true), (14, 11, '1!1.0+local', '\x06', NULL, NULL, NULL, false);
SELECT setval('piw.version_ver_id_seq', 14);

-- asked for in another order than that of the numbers
SELECT setval('piw.asked_seq', 30);
INSERT INTO piw.vstate (ver_id, prio, done, covered, abi3_from, blocked) VALUES
    (1, 1, 4, true, NULL, false), (2, 2, 4, false, NULL, false),
    -- the abi3 wheel of cp39 serves cp311 too, but not cp313t
    (3, 3, 6, false, 3009, false), (4, 4, 14, false, NULL, false), (5, 5, 4, false, NULL, false),
    (6, 6, 0, false, NULL, false), (7, 30, 0, false, NULL, false), (8, 8, 0, false, NULL, false),
    (9, 29, 0, false, NULL, false), (10, 10, 0, false, NULL, true), (11, 14, 0, false, NULL, false),
    (12, 13, 0, false, NULL, true), (13, 12, 0, false, NULL, false), (14, 11, 0, false, NULL, false);

SELECT setval('piw.build_id_seq', 40);
INSERT INTO piw.build (build_id, ver_id, abi_id, attempt, slave, outcome, secret, built_at, duration_ms, log_bytes)
SELECT b.build_id, b.ver_id, b.abi_id, b.attempt, 'pi-1', b.outcome, decode(md5(b.build_id::text), 'hex'),
    '2024-02-01Z', 1000 * b.build_id, 10
FROM (VALUES (1, 1, 2, 1, 'built'), (2, 2, 2, 1, 'built'), (3, 3, 2, 1, 'built'), (4, 4, 2, 1, 'failed'),
    (5, 4, 1, 2, 'timeout'), (6, 4, 3, 5, 'lost-slave'), (7, 5, 2, 1, 'bad-wheel'), (8, 6, 2, 1, 'superseded'),
    (9, 7, 2, 1, 'timeout'), (10, 4, 1, 1, 'timeout'), (11, 2, 2, 1, 'superseded'))
    AS b(build_id, ver_id, abi_id, attempt, outcome);
INSERT INTO piw.file (filename, build_id, pkg_id, ver_id, size, sha256, python_tag, abi_tag, platform_tag,
    requires_python, metadata_sha256, published_at)
SELECT f.filename, f.number, f.number, f.number, 100 * f.number, sha256(f.filename::bytea), f.python_tag, f.abi_tag,
    f.platform_tag, '>=3.9', sha256('METADATA'), '2024-02-01Z'
FROM (VALUES (1, 'pure-1.0-py3-none-any.whl', 'py3', 'none', 'any'),
    (2, 'native-1.0-cp39-cp39-linux_armv7l.whl', 'cp39', 'cp39', 'linux_armv7l'),
    (3, 'stable-2.0-cp39-abi3-linux_armv7l.whl', 'cp39', 'abi3', 'linux_armv7l'))
    AS f(number, filename, python_tag, abi_tag, platform_tag);

INSERT INTO piw.queue (ver_id, abi_id, prio, attempt) VALUES
    (2, 1, 2, 1), (3, 3, 3, 1), (5, 1, 5, 1), (6, 2, 6, 3), (9, 2, 29, 1), (11, 2, 14, 1), (13, 2, 12, 1), (14, 2, 11, 1);
INSERT INTO piw.delayed (ver_id, abi_id, prio, attempt, due) VALUES (7, 2, 30, 2, '2100-01-01Z');
INSERT INTO piw.lease (build_id, ver_id, abi_id, attempt, slave, secret, claimed_at, expires_at, ended, ended_at) VALUES
    (39, 8, 2, 1, 'pi-2', '\x00112233445566778899aabbccddeeff', now(), now() + interval '1 day', NULL, NULL),
    (38, 6, 2, 2, 'pi-3', '\xff112233445566778899aabbccddeeff', now(), now(), 'expired', now());

SELECT setval('piw.rewrite_order_seq', 7);
INSERT INTO piw.rewrite (kind, pkg_id, ordered, ordered_at) VALUES
    ('project', 2, 6, '2024-03-01Z'), ('root', 0, 7, '2024-03-02Z');
INSERT INTO piw.stat_total (kind, n, amount) VALUES
    ('build:built', 3, 6000), ('build:failed', 1, 4000), ('build:timeout', 2, 14000), ('build:lost-slave', 1, 6000),
    ('build:bad-wheel', 1, 7000), ('build:superseded', 2, 19000), ('file', 2, 300);
INSERT INTO piw.stat_delta (kind, n, amount) VALUES ('build:timeout', 1, 10000), ('file', 1, 300);
