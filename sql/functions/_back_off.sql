-- How long a version waits after an attempt (1 for the first) that ended so, and that another one may mend:
--   upload-race    5 min * 2^(attempt - 1): the five waits make 155 min
--   network, disk  1 min * 4^(attempt - 1): the four make 85 min, as outages do; a hiccup costs a minute
--   any other      30 s * 2^(attempt - 1): there it is the next board that mends, not time
-- May be called by: functions of this schema.
CREATE FUNCTION piw._back_off(p_outcome text, p_attempt smallint) RETURNS interval
LANGUAGE sql IMMUTABLE SET search_path = piw, pg_temp
AS $$
    SELECT make_interval(secs => CASE
        WHEN p_outcome = 'upload-race' THEN 300 * 2 ^ (p_attempt - 1)
        WHEN p_outcome IN ('network', 'disk') THEN 60 * 4 ^ (p_attempt - 1)
        ELSE 30 * 2 ^ (p_attempt - 1)
    END)
$$;
