-- An ABI's number by its tag; refused, with SQLSTATE 22023, where the farm has none of it. Null for null.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._known_abi(p_tag text) RETURNS smallint
LANGUAGE plpgsql STABLE SET search_path = piw, pg_temp
AS $$
DECLARE
    v_abi smallint;
BEGIN
    IF p_tag IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT a.abi_id INTO v_abi FROM abi a WHERE a.tag = p_tag;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'this farm has no ABI "%"; ''piw abi list'' shows those it has', p_tag USING ERRCODE = '22023';
    END IF;
    RETURN v_abi;
END
$$;
