-- Refuses, with SQLSTATE 22023, a result that could not be recorded as it stands (see log_build).
-- May be called by: functions of this schema.
CREATE FUNCTION piw._check_result(
    p_slave text, p_outcome text, p_duration_ms bigint, p_log_bytes bigint,
    p_filenames text[], p_sizes bigint[], p_sha256s bytea[], p_python_tags text[], p_abi_tags text[],
    p_platform_tags text[], p_requires text[], p_metadata bytea[], p_requires_dist text[], p_report jsonb
) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = piw, pg_temp
AS $$
BEGIN
    IF coalesce(p_slave, '') = '' THEN
        RAISE EXCEPTION 'the slave''s label is empty' USING ERRCODE = '22023';
    END IF;
    IF p_outcome IS NULL OR p_outcome NOT IN
        ('built', 'failed', 'timeout', 'no-sdist', 'bad-wheel', 'lost-slave', 'lost-transfer', 'cancelled', 'network',
        'silence', 'out-of-memory', 'disk', 'log-limit', 'wheel-limit', 'disk-limit', 'process-limit')
    THEN
        RAISE EXCEPTION '"%" is not how a slave''s build ends', coalesce(p_outcome, 'null') USING ERRCODE = '22023';
    END IF;
    IF p_duration_ms IS NULL OR p_duration_ms < 0 OR p_log_bytes IS NULL OR p_log_bytes < 0 THEN
        RAISE EXCEPTION 'duration and log size are missing or negative' USING ERRCODE = '22023';
    END IF;
    IF p_filenames IS NULL OR cardinality(p_filenames) > 1000 THEN
        RAISE EXCEPTION 'a build has between 0 and 1,000 files' USING ERRCODE = '22023';
    END IF;
    IF NOT coalesce(cardinality(p_filenames) = ALL (ARRAY[cardinality(p_sizes), cardinality(p_sha256s),
        cardinality(p_python_tags), cardinality(p_abi_tags), cardinality(p_platform_tags), cardinality(p_requires),
        cardinality(p_metadata), cardinality(p_requires_dist)]), false)
    THEN
        RAISE EXCEPTION 'lists of different lengths' USING ERRCODE = '22023';
    END IF;
    IF cardinality(p_filenames) > 0 AND p_outcome <> 'built' THEN
        RAISE EXCEPTION 'a build that ended as "%" has no files', p_outcome USING ERRCODE = '22023';
    END IF;
    IF EXISTS (
        SELECT FROM unnest(p_filenames, p_sizes, p_sha256s, p_python_tags, p_abi_tags, p_platform_tags, p_metadata)
            AS f(filename, size, sha256, python_tag, abi_tag, platform_tag, metadata)
        WHERE coalesce(f.filename, '') !~ '^[^/.][^/]*$' OR coalesce(f.size, 0) < 1
            OR coalesce(octet_length(f.sha256), 0) <> 32 OR coalesce(octet_length(f.metadata), 0) <> 32
            OR coalesce(f.python_tag, '') = '' OR coalesce(f.abi_tag, '') = '' OR coalesce(f.platform_tag, '') = ''
    ) THEN
        RAISE EXCEPTION 'a file without sound name, size, hashes or tags' USING ERRCODE = '22023';
    END IF;
    IF jsonb_typeof(p_report) <> 'object' OR octet_length(p_report::text) > 65536 THEN
        RAISE EXCEPTION 'the report is no object, or longer than 65,536 bytes' USING ERRCODE = '22023';
    END IF;
END
$$;
