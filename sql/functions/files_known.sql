-- Which of these file names are published, and with which bytes. At most 1,000 names.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.files_known(p_filenames text[]) RETURNS TABLE (filename text, sha256 bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
BEGIN
    IF p_filenames IS NULL OR cardinality(p_filenames) > 1000 OR array_position(p_filenames, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'between 0 and 1,000 file names are asked for at a time' USING ERRCODE = '22023';
    END IF;
    RETURN QUERY SELECT f.filename, f.sha256 FROM file f WHERE f.filename = ANY (p_filenames) ORDER BY f.filename;
END
$$;
