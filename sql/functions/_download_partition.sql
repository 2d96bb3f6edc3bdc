-- Makes the partition of download for a month, which is given by its first day, unless it is there. The caller has
-- locked download in ROW EXCLUSIVE mode: what is there stays there.
-- It is made aside and attached, which waits for no reader or writer of the table; making it as a partition would.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._download_partition(p_month date) RETURNS void
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
DECLARE
    v_name text := 'download_' || to_char(p_month, 'YYYY_MM');
BEGIN
    IF to_regclass(v_name) IS NOT NULL THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock('download'::regclass::oid::integer, 1);
    -- somebody else may have made it meanwhile
    IF to_regclass(v_name) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE piw.%I (LIKE piw.download INCLUDING ALL)', v_name);
    EXECUTE format('ALTER TABLE piw.download ATTACH PARTITION piw.%I FOR VALUES FROM (%L) TO (%L)', v_name,
        p_month::timestamp AT TIME ZONE 'UTC', (p_month + interval '1 month') AT TIME ZONE 'UTC');
END
$$;
