-- Takes a version's attempts for these ABIs as never made (_void.sql), judges it and queues it. Says how many
-- attempts that were, the ABI whose queue got it, and, where it waits for nothing then, what speaks against building it.
-- The caller holds ROW SHARE on abi.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._requeue_version(
    p_ver integer, p_abis smallint[], p_outcomes text[], OUT attempts integer, OUT opened smallint, OUT why_not text
)
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
DECLARE
    v_abi smallint;
BEGIN
    PERFORM FROM vstate s WHERE s.ver_id = p_ver FOR NO KEY UPDATE;
    attempts := 0;
    FOREACH v_abi IN ARRAY p_abis LOOP
        attempts := attempts + _void(p_ver, v_abi, p_outcomes);
    END LOOP;
    DELETE FROM delayed d WHERE d.ver_id = p_ver AND d.abi_id = ANY (p_abis) AND d.why = 'retry';
    UPDATE queue q SET attempt = 1 WHERE q.ver_id = p_ver AND q.abi_id = ANY (p_abis) AND q.attempt > 1;
    opened := _judge(p_ver);
    IF NOT EXISTS (SELECT FROM queue q WHERE q.ver_id = p_ver)
        AND NOT EXISTS (SELECT FROM delayed d WHERE d.ver_id = p_ver)
        AND NOT EXISTS (SELECT FROM lease l WHERE l.ver_id = p_ver AND l.ended IS NULL)
    THEN
        why_not := coalesce(
            (SELECT j.why_not FROM judgement j WHERE j.ver_id = p_ver),
            (SELECT t.off FROM target t WHERE t.ver_id = p_ver AND t.abi_id = ANY (p_abis) AND t.off IS NOT NULL
                ORDER BY t.rank LIMIT 1));
    END IF;
END
$$;
