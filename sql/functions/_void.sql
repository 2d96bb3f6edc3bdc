-- Takes a version's recorded attempts as never made, as far as they settle something: of one ABI (null: of any) and with
-- one of these outcomes. What they published stays published. Returns how many attempts that were.
-- The caller holds the lock of the version's vstate row, and judges it afterwards.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._void(p_ver integer, p_abi smallint, p_outcomes text[]) RETURNS integer
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
DECLARE
    v_voided integer;
BEGIN
    UPDATE build b SET void = true
    WHERE b.ver_id = p_ver AND NOT b.void AND b.outcome = ANY (p_outcomes)
        AND (p_abi IS NULL OR b.abi_id = p_abi);
    GET DIAGNOSTICS v_voided = ROW_COUNT;
    IF v_voided > 0 THEN
        UPDATE vstate s SET done = _done(p_ver), covered = c.covered, abi3_from = c.abi3_from
        FROM _coverage(p_ver) AS c WHERE s.ver_id = p_ver;
    END IF;
    RETURN v_voided;
END
$$;
