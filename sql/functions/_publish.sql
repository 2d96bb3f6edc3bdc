-- Writes the rows of a build's files. A name that is published keeps its row when the bytes are the same; with other
-- bytes, or under another version, the whole transaction is refused (22023): a published name never changes.
-- A name that was withdrawn comes back with the same bytes only, and only if that was before p_since: since when the files
-- were on their way. `requires_dist` has one requirement a line.
-- In the order of names, so that two builds with names in common cannot wait for each other.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._publish(
    p_build bigint, p_pkg integer, p_ver integer, p_since timestamptz,
    p_filenames text[], p_sizes bigint[], p_sha256s bytea[], p_python_tags text[], p_abi_tags text[],
    p_platform_tags text[], p_requires text[], p_metadata bytea[], p_requires_dist text[]
) RETURNS void
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_filename text;
    v_files bigint;
    v_bytes numeric;
BEGIN
    WITH added AS (
        INSERT INTO file (filename, build_id, pkg_id, ver_id, size, sha256, python_tag, abi_tag, platform_tag,
            requires_python, metadata_sha256, requires_dist, published_at)
        SELECT f.filename, p_build, p_pkg, p_ver, f.size, f.sha256, f.python_tag, f.abi_tag, f.platform_tag,
            f.requires_python, f.metadata,
            coalesce(string_to_array(nullif(f.requires_dist, ''), E'\n'), '{}'), clock_timestamp()
        FROM unnest(p_filenames, p_sizes, p_sha256s, p_python_tags, p_abi_tags, p_platform_tags, p_requires,
            p_metadata, p_requires_dist)
            AS f(filename, size, sha256, python_tag, abi_tag, platform_tag, requires_python, metadata, requires_dist)
        ORDER BY f.filename COLLATE "C"
        ON CONFLICT (filename) DO NOTHING
        RETURNING size
    )
    SELECT count(*), sum(added.size) INTO v_files, v_bytes FROM added;
    SELECT f.filename INTO v_filename
    FROM unnest(p_filenames, p_sha256s) AS w(filename, sha256) JOIN file f ON f.filename = w.filename
    WHERE f.sha256 <> w.sha256 OR f.ver_id <> p_ver
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% is published already, with other bytes or for another version', v_filename
            USING ERRCODE = '22023';
    END IF;
    -- one that was withdrawn on its way may just be going from the disk
    SELECT f.filename INTO v_filename
    FROM unnest(p_filenames, p_sha256s) AS w(filename, sha256) JOIN withdrawn f ON f.filename = w.filename
    WHERE f.sha256 <> w.sha256 OR f.pending OR f.withdrawn_at > p_since
    LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% was withdrawn, with other bytes or just now', v_filename USING ERRCODE = '22023';
    END IF;
    -- the row of an attempt that was taken as never made becomes this one's: it settles what this one settles
    UPDATE file f SET build_id = p_build FROM build b
    WHERE f.filename = ANY (p_filenames) AND f.build_id <> p_build AND b.build_id = f.build_id AND b.void;
    DELETE FROM withdrawn w WHERE w.filename = ANY (p_filenames);
    -- the right bytes are in place again
    UPDATE file f SET withheld = NULL WHERE f.filename = ANY (p_filenames) AND f.withheld IS NOT NULL;
    IF v_files > 0 THEN
        INSERT INTO stat_delta (kind, n, amount) VALUES ('file', v_files, v_bytes);
    END IF;
END
$$;
