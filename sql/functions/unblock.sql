-- Takes block() back, by its pattern. What is to be built then is queued, at once or by a walk.
-- The answer: as block()'s, with "reason" null; not changed where there was no such pattern.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.unblock(p_pattern text)
RETURNS TABLE (answer text, opened text[], cancelled bigint[], more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_changed boolean;
    v_opened smallint[] := '{}';
    v_walks boolean := false;
BEGIN
    IF coalesce(p_pattern, '') = '' THEN
        RAISE EXCEPTION 'the pattern is empty' USING ERRCODE = '22023';
    END IF;
    LOCK TABLE abi IN EXCLUSIVE MODE;
    DELETE FROM block b WHERE b.pattern = p_pattern;
    v_changed := FOUND;
    IF v_changed THEN
        SELECT j.opened, j.walks INTO v_opened, v_walks FROM _judge_names(p_pattern) AS j;
    END IF;
    RETURN QUERY SELECT
        jsonb_build_object('pattern', p_pattern, 'reason', NULL, 'changed', v_changed,
            'packages', (SELECT count(*) FROM package p WHERE p.name LIKE _like(p_pattern)),
            'walk', v_walks, 'cancelled', 0)::text,
        _abi_tags(v_opened), '{}'::bigint[], false;
END
$$;
