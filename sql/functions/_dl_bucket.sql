-- The bits of a number of downloads, as package.dl_bucket keeps it: 0 for none, 1 for 1, 2 for 2 and 3, 3 for 4 to 7, …;
-- 40 at most.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._dl_bucket(p_downloads bigint) RETURNS smallint
LANGUAGE sql IMMUTABLE SET search_path = piw, pg_temp
AS $$
    SELECT least(40, length(ltrim(p_downloads::bit(64)::text, '0')))::smallint
$$;
