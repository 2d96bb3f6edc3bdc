-- Refuses, with SQLSTATE 22023, names that are not canonical, and missing spellings, versions and sort keys.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._check_names(p_names text[], p_displays text[], p_versions text[], p_sort_keys bytea[])
RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = piw, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM unnest(p_names, p_displays, p_versions, p_sort_keys) AS w(name, display, version, sort_key)
        WHERE coalesce(w.name, '') !~ '^[a-z0-9]+(-[a-z0-9]+)*$' OR length(w.name) > 200
            OR coalesce(w.display, '') = '' OR coalesce(w.version, '') = ''
            OR coalesce(octet_length(w.sort_key), 0) = 0)
    THEN
        RAISE EXCEPTION 'a name that is not canonical, or a missing spelling, version or sort key'
            USING ERRCODE = '22023';
    END IF;
END
$$;
