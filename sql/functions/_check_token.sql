-- Refuses, with SQLSTATE 22023, what is no job token.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._check_token(p_build bigint, p_secret bytea) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = piw, pg_temp
AS $$
BEGIN
    IF p_build IS NULL OR p_build < 1 THEN
        RAISE EXCEPTION 'a build number is positive, not %', coalesce(p_build::text, 'null') USING ERRCODE = '22023';
    END IF;
    IF p_secret IS NULL OR octet_length(p_secret) <> 16 THEN
        RAISE EXCEPTION 'a secret has 16 bytes' USING ERRCODE = '22023';
    END IF;
END
$$;
