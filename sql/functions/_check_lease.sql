-- Refuses, with SQLSTATE 22023, a slave without label and a lease of no or endless length.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._check_lease(p_slave text, p_lease_secs integer) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = piw, pg_temp
AS $$
BEGIN
    IF p_slave IS NULL OR p_slave = '' THEN
        RAISE EXCEPTION 'the slave''s label is empty' USING ERRCODE = '22023';
    END IF;
    IF p_lease_secs IS NULL OR p_lease_secs NOT BETWEEN 1 AND 604800 THEN
        RAISE EXCEPTION 'a lease runs between 1 second and 7 days, not % s', coalesce(p_lease_secs::text, 'null')
            USING ERRCODE = '22023';
    END IF;
END
$$;
