-- What a version's requirements are: each is looked up on the index once, then added like something that a person asked
-- for. p_ver is the version that deps_due named, or null for one of which the index itself has the wheel. p_of says whose
-- requirements they are, for people. At most 2,000. Asked twice, it changes nothing.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.deps_found(p_ver integer, p_of text, p_names text[], p_specifiers text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
BEGIN
    IF p_names IS NULL OR cardinality(p_names) > 2000 OR coalesce(p_of, '') = ''
        OR cardinality(p_names) IS DISTINCT FROM cardinality(p_specifiers)
        OR EXISTS (SELECT FROM unnest(p_names, p_specifiers) AS w(name, specifiers)
            WHERE coalesce(w.name, '') !~ '^[a-z0-9]+(-[a-z0-9]+)*$' OR w.specifiers IS NULL)
    THEN
        RAISE EXCEPTION 'more than 2,000 requirements, or one without a canonical name' USING ERRCODE = '22023';
    END IF;
    INSERT INTO requirement (name, specifiers, of, due)
    SELECT DISTINCT ON (w.name COLLATE "C", w.specifiers COLLATE "C") w.name, w.specifiers, left(p_of, 500), clock_timestamp()
    FROM unnest(p_names, p_specifiers) AS w(name, specifiers)
    ORDER BY w.name COLLATE "C", w.specifiers COLLATE "C"
    ON CONFLICT (name, specifiers) DO NOTHING;
    DELETE FROM deps_due d WHERE d.ver_id = p_ver;
END
$$;
