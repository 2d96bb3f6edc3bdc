-- Drops the rows of downloads of whole months before a day, and says of how many months; the counts by day stay. The
-- month that the day is in is kept whole. Waits for batches that are being recorded, and they for it.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.drop_downloads(p_before date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_name text;
    v_dropped integer := 0;
BEGIN
    IF p_before IS NULL OR p_before > (clock_timestamp() AT TIME ZONE 'UTC')::date THEN
        RAISE EXCEPTION 'downloads are dropped up to a day that is not in the future' USING ERRCODE = '22023';
    END IF;
    FOR v_name IN
        SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
        WHERE i.inhparent = 'download'::regclass
            AND c.relname < 'download_' || to_char(p_before, 'YYYY_MM')
        ORDER BY c.relname
    LOOP
        EXECUTE format('DROP TABLE piw.%I', v_name);
        v_dropped := v_dropped + 1;
    END LOOP;
    RETURN v_dropped;
END
$$;
