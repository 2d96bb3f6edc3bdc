-- Writes the build row of a lease and counts it. A job that was written off before has a row, which is replaced.
-- Duration, log size and report (schema/build.sql) are the slave's word: what no build takes is recorded as 30 days and
-- 1 TiB, because refusing it would lose the build.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._record(
    p_lease piw.lease, p_slave text, p_outcome text, p_duration_ms bigint, p_log_bytes bigint, p_report jsonb
) RETURNS void
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
DECLARE
    v_duration_ms bigint := least(p_duration_ms, 30::bigint * 24 * 3600 * 1000);
    v_now timestamptz := clock_timestamp();
    v_old build;
BEGIN
    SELECT * INTO v_old FROM build b WHERE b.build_id = p_lease.build_id;
    IF FOUND THEN
        INSERT INTO stat_delta (kind, n, amount) VALUES
            ('build:' || v_old.outcome, -1, -v_old.duration_ms), (_day_counter(v_old.built_at, v_old.outcome), -1, 0);
    END IF;
    INSERT INTO build (build_id, ver_id, abi_id, attempt, slave, outcome, secret, built_at, duration_ms, log_bytes,
        report)
    VALUES (p_lease.build_id, p_lease.ver_id, p_lease.abi_id, p_lease.attempt, p_slave, p_outcome, p_lease.secret,
        v_now, v_duration_ms, least(p_log_bytes, 1::bigint << 40), p_report)
    ON CONFLICT (build_id) DO UPDATE SET slave = EXCLUDED.slave, outcome = EXCLUDED.outcome,
        built_at = EXCLUDED.built_at, duration_ms = EXCLUDED.duration_ms, log_bytes = EXCLUDED.log_bytes,
        report = EXCLUDED.report;
    INSERT INTO stat_delta (kind, n, amount) VALUES
        ('build:' || p_outcome, 1, v_duration_ms), (_day_counter(v_now, p_outcome), 1, 0);
    IF NOT EXISTS (SELECT FROM build b WHERE b.ver_id = p_lease.ver_id AND b.build_id <> p_lease.build_id)
        AND v_old.build_id IS NULL
    THEN
        INSERT INTO stat_delta (kind, n, amount) VALUES ('tried', 1, 0);
    END IF;
END
$$;
