-- Whether an attempt that ended so settles its ABI. What another attempt may mend does not: the loss of a slave or of a
-- transfer up to the fourth attempt, running out of time at the first (it takes hours, and the next board is seldom
-- that much faster).
-- May be called by: functions of this schema.
CREATE FUNCTION piw._settles(p_outcome text, p_attempt smallint) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = piw, pg_temp
AS $$
    SELECT CASE p_outcome
        WHEN 'lost-slave' THEN p_attempt >= 5
        WHEN 'lost-transfer' THEN p_attempt >= 5
        WHEN 'timeout' THEN p_attempt >= 2
        WHEN 'superseded' THEN false
        ELSE p_outcome IS NOT NULL
    END
$$;
