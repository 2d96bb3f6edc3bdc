-- The outcomes of attempts that may be made again: one, or with null every one that is no wheel; `built` must be asked for. Refused, with SQLSTATE
-- 22023, where there is no such outcome.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._requeue_outcomes(p_outcome text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE SET search_path = piw, pg_temp
AS $$
DECLARE
    c_all CONSTANT text[] := ARRAY['failed', 'timeout', 'no-sdist', 'bad-wheel', 'lost-slave', 'lost-transfer',
        'cancelled', 'upload-race', 'network', 'silence', 'out-of-memory', 'disk', 'log-limit',
        'wheel-limit', 'disk-limit', 'process-limit'];
BEGIN
    IF p_outcome IS NULL THEN
        RETURN c_all;
    ELSIF p_outcome = 'built' OR p_outcome = ANY (c_all) THEN
        RETURN ARRAY[p_outcome];
    END IF;
    RAISE EXCEPTION '"%" is no outcome of an attempt; there are built, %', p_outcome, array_to_string(c_all, ', ')
        USING ERRCODE = '22023';
END
$$;
