-- How long a version waits after an attempt (1 for the first) that another one may mend: 30 s * 2^(attempt - 1).
-- May be called by: functions of this schema.
CREATE FUNCTION piw._back_off(p_attempt smallint) RETURNS interval
LANGUAGE sql IMMUTABLE SET search_path = piw, pg_temp
AS $$ SELECT make_interval(secs => 30 * 2 ^ (p_attempt - 1)) $$;
