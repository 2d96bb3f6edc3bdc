-- Brings every counter in line with what it counts, and returns how many were not. What is kept and what is counted are
-- of one moment, so that adding the difference is right whatever goes on meanwhile. Scans everything.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._recount() RETURNS bigint
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
DECLARE
    v_rows bigint;
BEGIN
    INSERT INTO stat_delta (kind, n, amount)
    SELECT replace(c.kind, ':amount', ''), CASE WHEN c.kind LIKE '%:amount' THEN 0 ELSE c.counted - c.kept END,
        CASE WHEN c.kind LIKE '%:amount' THEN c.counted - c.kept ELSE 0 END
    FROM _counted() c WHERE c.kept <> c.counted;
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    RETURN v_rows;
END
$$;
