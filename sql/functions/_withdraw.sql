-- Withdraws a version's files: their rows go, their names are kept so that they never come back with other bytes, and the
-- files themselves go from the disk with the page's next writing. What had built them settles nothing any more.
-- The caller judges the version, and shows the package (_show.sql) last.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._withdraw(p_ver integer, p_reason text) RETURNS void
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
DECLARE
    v_files bigint;
    v_bytes numeric;
BEGIN
    PERFORM FROM vstate s WHERE s.ver_id = p_ver FOR NO KEY UPDATE;
    WITH gone AS (
        DELETE FROM file f WHERE f.ver_id = p_ver RETURNING f.filename, f.pkg_id, f.ver_id, f.sha256, f.size
    ), kept AS (
        INSERT INTO withdrawn (filename, pkg_id, ver_id, sha256, reason, withdrawn_at)
        SELECT g.filename, g.pkg_id, g.ver_id, g.sha256, p_reason, clock_timestamp() FROM gone g
        ON CONFLICT (filename) DO UPDATE SET sha256 = EXCLUDED.sha256, reason = EXCLUDED.reason,
            withdrawn_at = EXCLUDED.withdrawn_at, pending = true
    )
    SELECT count(*), sum(g.size) INTO v_files, v_bytes FROM gone g;
    IF v_files = 0 THEN
        RETURN;
    END IF;
    INSERT INTO stat_delta (kind, n, amount) VALUES ('file', -v_files, -v_bytes);
    UPDATE build b SET void = true WHERE b.ver_id = p_ver AND b.outcome = 'built' AND NOT b.void;
    UPDATE vstate s SET done = _done(p_ver), covered = false, abi3_from = NULL WHERE s.ver_id = p_ver;
    DELETE FROM deps_due d WHERE d.ver_id = p_ver;
END
$$;
