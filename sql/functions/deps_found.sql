-- What a version's requirements are: each is looked up on the index once, then added like something that a person asked
-- for. One that was refused is looked up again when an hour has passed since. p_ver and p_turn
-- are those that deps_due named, null for one that only the index has; p_extras has extras with spaces between; p_of says whose requirements they are, for people. At most 2,000. Asked twice, it changes nothing.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.deps_found(
    p_ver integer, p_turn bigint, p_of text, p_names text[], p_specifiers text[], p_extras text[]
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
BEGIN
    IF p_names IS NULL OR cardinality(p_names) > 2000 OR coalesce(p_of, '') = ''
        OR cardinality(p_names) IS DISTINCT FROM cardinality(p_specifiers)
        OR cardinality(p_names) IS DISTINCT FROM cardinality(p_extras)
        OR EXISTS (SELECT FROM unnest(p_names, p_specifiers, p_extras) AS w(name, specifiers, extras)
            WHERE coalesce(w.name, '') !~ '^[a-z0-9]+(-[a-z0-9]+)*$' OR w.specifiers IS NULL OR w.extras IS NULL)
    THEN
        RAISE EXCEPTION 'more than 2,000 requirements, or one without a canonical name' USING ERRCODE = '22023';
    END IF;
    INSERT INTO requirement AS r (name, specifiers, extras, of, due)
    SELECT DISTINCT ON (w.name COLLATE "C", w.specifiers COLLATE "C", w.extras COLLATE "C")
        w.name, w.specifiers, w.extras, left(p_of, 500), clock_timestamp()
    FROM unnest(p_names, p_specifiers, p_extras) AS w(name, specifiers, extras)
    ORDER BY w.name COLLATE "C", w.specifiers COLLATE "C", w.extras COLLATE "C"
    ON CONFLICT (name, specifiers, extras) DO UPDATE SET refused = NULL, fails = 0, due = EXCLUDED.due, of = EXCLUDED.of
        WHERE r.refused IS NOT NULL AND r.due < EXCLUDED.due - interval '1 hour';
    DELETE FROM deps_due d WHERE d.ver_id = p_ver AND d.turn = p_turn;
END
$$;
