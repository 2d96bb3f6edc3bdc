-- Nothing is built any more of the packages whose names fit a pattern, those to come too, for this reason. `*` stands for
-- any characters. What is published stays; what is being built is to be cancelled. Versions are judged at once, or by a
-- walk where they are many (_judge_names.sql). Blocking again for the same reason changes nothing. At most 1,000
-- patterns: every judgement looks through them.
-- The answer: {"pattern", "reason", "changed", "packages": known ones that it means, "walk": it goes on by and by,
-- "cancelled": how many}.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.block(p_pattern text, p_reason text)
RETURNS TABLE (answer text, opened text[], cancelled bigint[], more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_changed boolean;
    v_opened smallint[] := '{}';
    v_walks boolean := false;
    v_cancelled bigint[];
BEGIN
    IF p_pattern IS NULL OR p_pattern !~ '^[a-z0-9*]([a-z0-9*-]*[a-z0-9*])?$' OR p_pattern !~ '[a-z0-9]'
        OR p_pattern ~ '--' OR length(p_pattern) > 200
    THEN
        RAISE EXCEPTION '"%" is no pattern of canonical names, such as foo or foo-*', coalesce(p_pattern, 'null')
            USING ERRCODE = '22023';
    END IF;
    PERFORM _check_reason(p_reason);
    LOCK TABLE abi IN EXCLUSIVE MODE;
    IF (SELECT count(*) FROM block b WHERE b.pattern <> p_pattern) >= 1000 THEN
        RAISE EXCEPTION 'there are 1,000 patterns already; ''piw policy'' lists them' USING ERRCODE = '22023';
    END IF;
    INSERT INTO block AS b (pattern, reason, set_at) VALUES (p_pattern, p_reason, clock_timestamp())
    ON CONFLICT (pattern) DO UPDATE SET reason = EXCLUDED.reason, set_at = EXCLUDED.set_at
        WHERE b.reason <> EXCLUDED.reason;
    v_changed := FOUND;
    IF v_changed THEN
        SELECT j.opened, j.walks INTO v_opened, v_walks FROM _judge_names(p_pattern) AS j;
    END IF;
    v_cancelled := ARRAY(SELECT l.build_id FROM lease l JOIN vstate s ON s.ver_id = l.ver_id
        JOIN version v ON v.ver_id = l.ver_id JOIN package p ON p.pkg_id = v.pkg_id
        WHERE l.ended IS NULL AND s.blocked AND p.name LIKE _like(p_pattern) ORDER BY l.build_id);
    RETURN QUERY SELECT
        jsonb_build_object('pattern', p_pattern, 'reason', p_reason, 'changed', v_changed,
            'packages', (SELECT count(*) FROM package p WHERE p.name LIKE _like(p_pattern)),
            'walk', v_walks, 'cancelled', cardinality(v_cancelled))::text,
        _abi_tags(v_opened), v_cancelled, false;
END
$$;
