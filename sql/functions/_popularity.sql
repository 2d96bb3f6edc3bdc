-- The next package behind p_after that was ever downloaded, and its bucket (_dl_bucket.sql) for the 30 days up to p_today;
-- no row behind the last. Reads by the indices, whatever the statistics say of tables that grow all day; what its caller
-- does with the answer is planned as ever.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._popularity(p_after integer, p_today date) RETURNS TABLE (pkg_id integer, bucket smallint)
LANGUAGE plpgsql STABLE SET search_path = piw, pg_temp
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off
AS $$
BEGIN
    SELECT d.pkg_id INTO pkg_id FROM download_day d WHERE d.pkg_id > p_after ORDER BY d.pkg_id LIMIT 1;
    IF FOUND THEN
        SELECT _dl_bucket(coalesce(sum(d.n), 0)::bigint) INTO bucket FROM download_day d
        WHERE d.pkg_id = _popularity.pkg_id AND d.day BETWEEN p_today - 29 AND p_today;
        RETURN NEXT;
    END IF;
END
$$;
