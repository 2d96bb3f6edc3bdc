-- What the original program may have in its tables, odd things included.
INSERT INTO public.configuration (pypi_serial) VALUES (3000000);
INSERT INTO public.build_abis (abi_tag) VALUES ('cp310'), ('cp34m'), ('cp39'), ('pp36');
INSERT INTO public.packages (package, skip) VALUES
    ('Pure', false), ('good', false), ('stable', false), ('failing', false), ('quiet', false), ('gone', false),
    ('Foo.Bar', false), ('foo-bar', false), ('Skip_Me', false), ('skip-me', true), ('early', false), ('empty', false),
    ('bad name!', false);
INSERT INTO public.versions (package, version, skip) VALUES
    ('Pure', '1.0', false), ('good', '1.0', false), ('good', '1.1', false), ('good', '1.10', false),
    ('good', '0.9', true), ('good', '2004d', false), ('stable', '1.0', false), ('failing', '1.0', false),
    ('quiet', '1.0', false), ('gone', '1.0', false), ('Foo.Bar', '1.0', false), ('foo-bar', 'v1.0.0', false),
    ('foo-bar', '2.0', false), ('Skip_Me', '1.0', false), ('early', '1.0-alpha1', false), ('bad name!', '1.0', false);
INSERT INTO public.builds (build_id, package, version, built_by, built_at, duration, status, abi_tag)
SELECT b.build_id, b.package, b.version, 7, timestamp '2018-03-01 12:00' + make_interval(hours => b.build_id),
    b.duration::interval, b.status, b.abi_tag
FROM (VALUES
    (1, 'Pure', '1.0', '2.5 s', true, 'cp34m'),
    (2, 'good', '1.0', '1:00:00', true, 'cp34m'), (3, 'good', '1.0', '1 s', false, 'cp39'),
    (4, 'stable', '1.0', '1 s', false, 'cp34m'), (5, 'stable', '1.0', '1 s', true, 'cp39'),
    (6, 'failing', '1.0', '1 s', false, 'cp34m'), (7, 'failing', '1.0', '1 s', false, 'cp39'),
    (8, 'failing', '1.0', '1 s', false, 'cp310'), (9, 'quiet', '1.0', '1 s', true, 'cp34m'),
    (10, 'gone', '1.0', '1 s', true, 'cp33m'), (11, 'Foo.Bar', '1.0', '1 s', true, 'cp34m'),
    (12, 'foo-bar', 'v1.0.0', '1 s', true, 'cp39'), (13, 'good', '1.10', '1 s', true, 'cp34m'),
    -- built again: the files moved over to this one
    (14, 'good', '1.10', '-3 s', true, 'cp34m'),
    (20, 'good', '2004d', '1 s', true, 'cp34m'), (21, 'good', '1.1', '1 s', true, 'pp36'),
    (22, 'bad name!', '1.0', '1 s', false, 'cp34m')
) AS b(build_id, package, version, duration, status, abi_tag);
INSERT INTO public.output (build_id, output) SELECT b.build_id, 'Collecting ' || b.package || E'\n' FROM public.builds b;
INSERT INTO public.files (filename, build_id, filesize, filehash, package_tag, package_version_tag, py_version_tag, abi_tag,
    platform_tag)
SELECT f.filename, f.build_id, f.filesize, coalesce(f.filehash, encode(sha256(f.bytes::bytea), 'hex')), '?', '?',
    f.python, f.abi, f.platform
FROM (VALUES
    ('Pure-1.0-py2.py3-none-any.whl', 1, 100, NULL, 'a', 'py2.py3', 'none', 'any'),
    ('good-1.0-cp34-cp34m-linux_armv7l.whl', 2, 200, NULL, 'b', 'cp34', 'cp34m', 'linux_armv7l'),
    ('good-1.0-cp34-cp34m-linux_armv6l.whl', 2, 200, NULL, 'b', 'cp34', 'cp34m', 'linux_armv6l'),
    ('stable-1.0-cp39-abi3-linux_armv7l.whl', 5, 300, NULL, 'c', 'cp39', 'abi3', 'linux_armv7l'),
    ('gone-1.0-cp33-cp33m-linux_armv7l.whl', 10, 400, NULL, 'd', 'cp33', 'cp33m', 'linux_armv7l'),
    ('Foo.Bar-1.0-cp34-cp34m-linux_armv7l.whl', 11, 500, NULL, 'e', 'cp34', 'cp34m', 'linux_armv7l'),
    ('foo_bar-1.0.0-1-cp39-cp39-linux_armv7l.whl', 12, 600, NULL, 'f', 'cp39', 'cp39', 'linux_armv7l'),
    ('good-1.10-cp34-cp34m-linux_armv7l.whl', 14, 700, NULL, 'g', 'cp34', 'cp34m', 'linux_armv7l'),
    ('good-2004d-py3-none-any.whl', 20, 1, NULL, 'h', 'py3', 'none', 'any'),
    ('good-1.1-pp36-pypy3_36-linux_armv7l.whl', 21, 1, NULL, 'i', 'pp36', 'pypy3_36', 'linux_armv7l'),
    ('good-1.0-1-py3-none-any.whl', 3, 1, NULL, 'j', 'py3', 'none', 'any'),
    ('../../good-1.0-py3-none-any.whl', 2, 1, NULL, 'k', 'py3', 'none', 'any'),
    ('good-1.0-2-py3-none-any.whl', 2, 0, NULL, 'l', 'py3', 'none', 'any'),
    ('good-1.0-3-py3-none-any.whl', 2, 1, repeat('x', 64), 'm', 'py3', 'none', 'any'),
    ('good-1.0-4-py3-none-any.whl', 2, 1, NULL, 'n', '', 'none', 'any')
) AS f(filename, build_id, filesize, filehash, bytes, python, abi, platform);
INSERT INTO public.downloads (filename, accessed_by, accessed_at, arch, distro_name, distro_version, os_name, os_version,
    py_name, py_version)
SELECT d.filename, '192.0.2.1', d.at, 'armv7l', 'Raspbian GNU/Linux', '9', 'Linux', '', 'CPython', '3.4.2'
FROM (VALUES
    ('good-1.0-cp34-cp34m-linux_armv7l.whl', now() AT TIME ZONE 'UTC' - interval '1 hour'),
    ('good-1.0-cp34-cp34m-linux_armv6l.whl', now() AT TIME ZONE 'UTC' - interval '2 hours'),
    ('good-1.10-cp34-cp34m-linux_armv7l.whl', '2018-03-31 23:59:59'),
    ('good-1.10-cp34-cp34m-linux_armv7l.whl', '2018-04-01 00:00:00'),
    ('Pure-1.0-py2.py3-none-any.whl', '2018-04-01 00:00:00'),
    ('good-2004d-py3-none-any.whl', '2018-04-01 00:00:00'),
    ('Pure-1.0-py2.py3-none-any.whl', '1999-01-01 00:00:00'), ('Pure-1.0-py2.py3-none-any.whl', 'infinity')
) AS d(filename, at);
