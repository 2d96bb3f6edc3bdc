-- Records files that were fetched from the web server, at most 500: a row each, the day's counts of the package and of
-- all, and the counter 'download'. Says how many were recorded, how many of these are of no package on the list, and how
-- many were not recorded because their month is older than two years or later than the next.
-- A file that the farm published counts for its package, any other for the package of its name, if there is one.
-- The same batch again, within a day, changes nothing and gets the same answer. The same log sent in other batches is
-- counted again. The commit need not reach the disk: a crash of the server may lose the last second's.
--   p_packages  the project that the file's name names, canonical
--   p_at        seconds since 1970
--   the others  null or empty where nothing is known
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.log_downloads(
    p_batch bytea, p_filenames text[], p_packages text[], p_at bigint[], p_addresses inet[], p_arch text[],
    p_distro_names text[], p_distro_versions text[], p_os_names text[], p_os_versions text[], p_py_names text[],
    p_py_versions text[], p_installer_names text[], p_installer_versions text[], p_setuptools_versions text[]
) RETURNS TABLE (stored integer, unknown integer, outside integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
    v_count integer := cardinality(p_filenames);
    v_now timestamptz := clock_timestamp();
    v_month timestamp := date_trunc('month', v_now AT TIME ZONE 'UTC');
    v_from bigint := extract(epoch FROM (v_month - interval '2 years') AT TIME ZONE 'UTC');
    v_to bigint := extract(epoch FROM (v_month + interval '2 months') AT TIME ZONE 'UTC');
    v_done download_batch;
    v_bytes numeric;
BEGIN
    IF p_batch IS NULL OR octet_length(p_batch) <> 16 THEN
        RAISE EXCEPTION 'a batch has a number of 16 bytes' USING ERRCODE = '22023';
    END IF;
    IF v_count IS NULL OR v_count NOT BETWEEN 1 AND 500 THEN
        RAISE EXCEPTION 'between 1 and 500 downloads are recorded at a time' USING ERRCODE = '22023';
    END IF;
    IF NOT coalesce(v_count = ALL (ARRAY[cardinality(p_packages), cardinality(p_at), cardinality(p_addresses),
        cardinality(p_arch), cardinality(p_distro_names), cardinality(p_distro_versions), cardinality(p_os_names),
        cardinality(p_os_versions), cardinality(p_py_names), cardinality(p_py_versions),
        cardinality(p_installer_names), cardinality(p_installer_versions), cardinality(p_setuptools_versions)]), false)
    THEN
        RAISE EXCEPTION 'lists of different lengths' USING ERRCODE = '22023';
    END IF;
    IF EXISTS (SELECT FROM unnest(p_filenames, p_packages, p_at) AS d(filename, package, at)
        WHERE coalesce(octet_length(d.filename), 0) NOT BETWEEN 1 AND 240
            OR coalesce(octet_length(d.package), 0) NOT BETWEEN 1 AND 200 OR d.at IS NULL)
    THEN
        RAISE EXCEPTION 'a download without file name, package or time, or with a name that is too long'
            USING ERRCODE = '22023';
    END IF;
    IF EXISTS (SELECT FROM unnest(p_arch || p_distro_names || p_distro_versions || p_os_names || p_os_versions
        || p_py_names || p_py_versions || p_installer_names || p_installer_versions || p_setuptools_versions) AS said
        WHERE octet_length(said) > 100)
    THEN
        RAISE EXCEPTION 'what a client says of itself is longer than 100 bytes' USING ERRCODE = '22023';
    END IF;
    PERFORM set_config('synchronous_commit', 'off', true);

    -- A caller whose connection broke may ask again while its first call still runs.
    PERFORM pg_advisory_xact_lock(('x' || encode(substr(p_batch, 1, 8), 'hex'))::bit(64)::bigint);
    SELECT * INTO v_done FROM download_batch b WHERE b.batch = p_batch;
    IF FOUND THEN
        RETURN QUERY SELECT v_done.stored, v_done.unknown, v_done.outside;
        RETURN;
    END IF;

    LOCK TABLE download IN ROW EXCLUSIVE MODE;
    PERFORM _download_partition(m.month)
    FROM (SELECT DISTINCT date_trunc('month', to_timestamp(d.at) AT TIME ZONE 'UTC')::date AS month
        FROM unnest(p_at) AS d(at) WHERE d.at >= v_from AND d.at < v_to ORDER BY month) AS m;
    WITH given AS MATERIALIZED (
        SELECT d.*, to_timestamp(d.at) AS moment, coalesce(f.pkg_id, p.pkg_id) AS pkg_id, f.size
        FROM unnest(p_filenames, p_packages, p_at, p_addresses, p_arch, p_distro_names, p_distro_versions, p_os_names,
            p_os_versions, p_py_names, p_py_versions, p_installer_names, p_installer_versions, p_setuptools_versions)
            AS d(filename, package, at, address, arch, distro_name, distro_version, os_name, os_version, py_name,
                py_version, installer_name, installer_version, setuptools_version)
        LEFT JOIN file f ON f.filename = d.filename
        LEFT JOIN package p ON p.name = d.package
        WHERE d.at >= v_from AND d.at < v_to
    ), added AS (
        INSERT INTO download (filename, pkg_id, at, address, arch, distro_name, distro_version, os_name, os_version,
            py_name, py_version, installer_name, installer_version, setuptools_version)
        SELECT g.filename, g.pkg_id, g.moment, g.address, nullif(g.arch, ''), nullif(g.distro_name, ''),
            nullif(g.distro_version, ''), nullif(g.os_name, ''), nullif(g.os_version, ''), nullif(g.py_name, ''),
            nullif(g.py_version, ''), nullif(g.installer_name, ''), nullif(g.installer_version, ''),
            nullif(g.setuptools_version, '')
        FROM given g
    ), counted AS (
        -- in one order, so that two batches with days and packages in common cannot wait for each other
        INSERT INTO download_day AS r (day, pkg_id, n)
        SELECT o.day, o.pkg_id, count(*)
        FROM (
            SELECT (g.moment AT TIME ZONE 'UTC')::date AS day, c.pkg_id
            FROM given g CROSS JOIN LATERAL (VALUES (0), (g.pkg_id)) AS c(pkg_id)
            WHERE c.pkg_id IS NOT NULL
        ) AS o
        GROUP BY o.day, o.pkg_id ORDER BY o.day, o.pkg_id
        ON CONFLICT (day, pkg_id) DO UPDATE SET n = r.n + EXCLUDED.n
    )
    SELECT count(*), count(*) FILTER (WHERE g.pkg_id IS NULL), coalesce(sum(g.size), 0)
    INTO v_done.stored, v_done.unknown, v_bytes FROM given g;
    v_done.outside := v_count - v_done.stored;
    IF v_done.stored > 0 THEN
        INSERT INTO stat_delta (kind, n, amount) VALUES ('download', v_done.stored, v_bytes);
    END IF;
    INSERT INTO download_batch (batch, at, stored, unknown, outside)
    VALUES (p_batch, v_now, v_done.stored, v_done.unknown, v_done.outside);
    DELETE FROM download_batch b WHERE b.batch IN (
        SELECT o.batch FROM download_batch o WHERE o.at < v_now - interval '1 day'
        ORDER BY o.at LIMIT 10 FOR UPDATE SKIP LOCKED);
    RETURN QUERY SELECT v_done.stored, v_done.unknown, v_done.outside;
END
$$;
