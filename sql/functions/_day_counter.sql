-- The name of the counter of builds that ended so on the day (UTC) of this moment.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._day_counter(p_at timestamptz, p_outcome text) RETURNS text
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    SELECT 'day:' || to_char(p_at AT TIME ZONE 'UTC', 'YYYY-MM-DD') || ':' || p_outcome
$$;
