-- Refuses, with SQLSTATE 22023, an empty or endless reason.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._check_reason(p_reason text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = piw, pg_temp
AS $$
BEGIN
    IF p_reason IS NULL OR btrim(p_reason, E' \t\n') = '' OR length(p_reason) > 1000 THEN
        RAISE EXCEPTION 'a reason of at most 1,000 characters is wanted' USING ERRCODE = '22023';
    END IF;
END
$$;
