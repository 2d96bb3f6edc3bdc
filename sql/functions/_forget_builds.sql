-- Forgets a version's recorded attempts: what they settled is open again, and the next attempt counts as the first. Returns
-- their numbers: the logs are the caller's to remove. Their files have been withdrawn.
-- The caller holds the lock of the version's vstate row, and judges it afterwards.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._forget_builds(p_ver integer) RETURNS bigint[]
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
DECLARE
    v_builds bigint[];
BEGIN
    WITH gone AS (
        DELETE FROM build b WHERE b.ver_id = p_ver RETURNING b.build_id, b.outcome, b.duration_ms, b.built_at
    ), days AS (
        -- those of older days are dropped, or about to be
        INSERT INTO stat_delta (kind, n, amount)
        SELECT _day_counter(g.built_at, g.outcome), -count(*), 0 FROM gone g
        WHERE g.built_at >= (date_trunc('day', now() AT TIME ZONE 'UTC') - interval '58 days') AT TIME ZONE 'UTC'
        GROUP BY 1
    ), counted AS (
        INSERT INTO stat_delta (kind, n, amount)
        SELECT 'build:' || g.outcome, -count(*), -sum(g.duration_ms) FROM gone g GROUP BY g.outcome
    )
    SELECT array_agg(g.build_id ORDER BY g.build_id) INTO v_builds FROM gone g;
    IF v_builds IS NULL THEN
        RETURN '{}';
    END IF;
    INSERT INTO stat_delta (kind, n, amount) VALUES ('tried', -1, 0);
    UPDATE vstate s SET done = 0, covered = false, abi3_from = NULL WHERE s.ver_id = p_ver;
    DELETE FROM delayed d WHERE d.ver_id = p_ver AND d.why = 'retry';
    -- the lowest ABI's turn comes first again
    DELETE FROM queue q WHERE q.ver_id = p_ver;
    RETURN v_builds;
END
$$;
