-- A piece of the index's list of all projects, in the order of the list, beside what is known: finds events that were lost.
-- A project whose newest event is younger than what is known of it, but old enough to have been read (p_serial_read), has
-- its page read. Projects between p_after (the last name of the piece before, null for the first) and the last name of
-- this piece that the list does not have any more: the same, their page being the truth; not where the piece is not
-- ordered by name. With p_unheard, because the changelog does not answer, projects that are not known are registered and
-- their pages read. At most 5,000 names.
-- Returns how many pages are due for it.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.feed_compare(
    p_names text[], p_displays text[], p_serials bigint[], p_after text, p_serial_read bigint, p_unheard boolean
) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_count integer := cardinality(p_names);
    v_due integer := 0;
    v_more integer;
    v_ordered boolean;
BEGIN
    IF v_count IS NULL OR v_count > 5000 OR p_serial_read IS NULL OR p_unheard IS NULL
        OR NOT coalesce(v_count = ALL (ARRAY[cardinality(p_displays), cardinality(p_serials)]), false)
        OR array_position(p_serials, NULL) IS NOT NULL
    THEN
        RAISE EXCEPTION 'more than 5,000 names, or lists of different lengths' USING ERRCODE = '22023';
    END IF;
    PERFORM _check_names(p_names, p_displays, array_fill('1'::text, ARRAY[v_count]),
        array_fill('\x01'::bytea, ARRAY[v_count]));
    IF p_unheard THEN
        WITH new AS (
            INSERT INTO package (name, display, serial, read_due)
            SELECT DISTINCT ON (u.name COLLATE "C") u.name, u.display, u.serial, clock_timestamp()
            FROM unnest(p_names, p_displays, p_serials) AS u(name, display, serial)
            ORDER BY u.name COLLATE "C"
            ON CONFLICT (name) DO NOTHING
            RETURNING 1
        )
        SELECT count(*) INTO v_due FROM new;
        IF v_due > 0 THEN
            INSERT INTO stat_delta (kind, n, amount) VALUES ('package', v_due, 0);
        END IF;
    END IF;
    UPDATE package p SET serial = u.serial, read_due = coalesce(p.read_due, clock_timestamp()), etag = NULL
    FROM unnest(p_names, p_serials) AS u(name, serial)
    WHERE p.name = u.name AND p.serial < u.serial AND (u.serial <= p_serial_read OR p_unheard);
    GET DIAGNOSTICS v_more = ROW_COUNT;
    v_due := v_due + v_more;
    SELECT coalesce(bool_and(u.name COLLATE "C" > coalesce(u.before, '')), false) INTO v_ordered
    FROM (SELECT w.name, coalesce(lag(w.name) OVER (ORDER BY w.place), p_after) AS before
        FROM unnest(p_names) WITH ORDINALITY AS w(name, place)) AS u;
    IF v_ordered THEN
        UPDATE package p SET read_due = coalesce(p.read_due, clock_timestamp()), etag = NULL
        WHERE p.name > coalesce(p_after, '') AND p.name < p_names[v_count] AND p.removed_at IS NULL
            AND p.serial <= p_serial_read
            AND NOT EXISTS (SELECT FROM unnest(p_names) AS u(name) WHERE u.name = p.name);
        GET DIAGNOSTICS v_more = ROW_COUNT;
        v_due := v_due + v_more;
    END IF;
    RETURN v_due;
END
$$;
