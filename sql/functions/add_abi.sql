-- Registers an ABI, or takes up again one that was retired; versions are opened for it by walk(), a few thousand at a
-- time, while jobs are handed out. False when it was there before with this rank and these platforms: asking again changes
-- nothing. p_platforms: those of the slaves that may build for it; empty for any. A retired ABI keeps its rank, unless
-- p_rank says another that is free.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.add_abi(p_tag text, p_rank smallint, p_platforms text[]) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_abi abi;
BEGIN
    IF p_tag IS NULL OR p_tag !~ '^cp[1-9][0-9]{1,3}[a-z]{0,4}$' THEN
        RAISE EXCEPTION '"%" is not an ABI to build for', coalesce(p_tag, 'null') USING ERRCODE = '22023';
    END IF;
    IF p_rank IS NULL OR p_rank < 0 THEN
        RAISE EXCEPTION 'a rank is not negative' USING ERRCODE = '22023';
    END IF;
    IF p_platforms IS NULL OR cardinality(p_platforms) > 16
        OR EXISTS (SELECT FROM unnest(p_platforms) AS t(tag) WHERE coalesce(t.tag, '') !~ '^[a-z0-9_]{1,64}$')
    THEN
        RAISE EXCEPTION 'at most 16 platforms, as in linux_armv7l' USING ERRCODE = '22023';
    END IF;
    LOCK TABLE abi IN EXCLUSIVE MODE;
    SELECT * INTO v_abi FROM abi a WHERE a.tag = p_tag OR a.rank = p_rank ORDER BY a.tag = p_tag DESC LIMIT 1;
    IF v_abi.tag = p_tag AND v_abi.rank = p_rank AND v_abi.platforms = p_platforms AND v_abi.skip IS NULL THEN
        RETURN false;
    ELSIF v_abi.tag = p_tag AND v_abi.rank <> p_rank AND v_abi.skip IS NULL THEN
        RAISE EXCEPTION 'ABI % is there already, with rank %', p_tag, v_abi.rank USING ERRCODE = '22023';
    ELSIF EXISTS (SELECT FROM abi a WHERE a.rank = p_rank AND a.tag <> p_tag) THEN
        RAISE EXCEPTION 'rank % is that of ABI % already', p_rank,
            (SELECT a.tag FROM abi a WHERE a.rank = p_rank) USING ERRCODE = '22023';
    END IF;
    IF v_abi.tag = p_tag THEN
        UPDATE abi a SET rank = p_rank, platforms = p_platforms, skip = NULL WHERE a.abi_id = v_abi.abi_id;
        -- what the index's wheels serve depends on the platforms
        INSERT INTO walk (kind, next_ver)
        VALUES (CASE WHEN v_abi.platforms = p_platforms THEN 'open' ELSE 'judge' END, 0)
        ON CONFLICT (kind) DO UPDATE SET next_ver = 0;
        RETURN true;
    END IF;
    IF (SELECT max(a.abi_id) FROM abi a) = 62 THEN
        RAISE EXCEPTION 'the farm has its 62 ABIs, no more can be told apart' USING ERRCODE = '22023';
    END IF;
    INSERT INTO abi (abi_id, tag, rank, platforms)
    VALUES ((SELECT coalesce(max(a.abi_id), 0) + 1 FROM abi a), p_tag, p_rank, p_platforms);
    INSERT INTO walk (kind, next_ver) VALUES ('open', 0) ON CONFLICT (kind) DO UPDATE SET next_ver = 0;
    RETURN true;
END
$$;
