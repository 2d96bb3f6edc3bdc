-- Registers an ABI and queues every version that is to be built for it and has nothing else open; returns how many.
-- Null when it was registered before with this rank: asking again changes nothing.
-- Everything that opens versions holds ROW SHARE on abi, so none can miss the new ABI; claims wait for it too (their
-- foreign key asks abi). With millions of versions that is half a minute, once.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.add_abi(p_tag text, p_rank smallint) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_abi abi;
    v_opened bigint;
BEGIN
    IF p_tag IS NULL OR p_tag !~ '^cp[1-9][0-9]{1,3}[a-z]{0,4}$' THEN
        RAISE EXCEPTION '"%" is not an ABI to build for', coalesce(p_tag, 'null') USING ERRCODE = '22023';
    END IF;
    IF p_rank IS NULL OR p_rank < 0 THEN
        RAISE EXCEPTION 'a rank is not negative' USING ERRCODE = '22023';
    END IF;
    LOCK TABLE abi IN EXCLUSIVE MODE;
    SELECT * INTO v_abi FROM abi a WHERE a.tag = p_tag OR a.rank = p_rank ORDER BY a.tag = p_tag DESC LIMIT 1;
    IF v_abi.tag = p_tag AND v_abi.rank = p_rank THEN
        RETURN NULL;
    ELSIF v_abi.tag = p_tag THEN
        RAISE EXCEPTION 'ABI % is there already, with rank %', p_tag, v_abi.rank USING ERRCODE = '22023';
    ELSIF v_abi.rank = p_rank THEN
        RAISE EXCEPTION 'rank % is that of ABI % already', p_rank, v_abi.tag USING ERRCODE = '22023';
    END IF;
    IF (SELECT max(a.abi_id) FROM abi a) = 62 THEN
        RAISE EXCEPTION 'the farm has its 62 ABIs, no more can be told apart' USING ERRCODE = '22023';
    END IF;
    INSERT INTO abi (abi_id, tag, rank)
    VALUES ((SELECT coalesce(max(a.abi_id), 0) + 1 FROM abi a), p_tag, p_rank)
    RETURNING * INTO v_abi;
    IF v_abi.flags NOT LIKE '%t%' THEN
        UPDATE vstate s SET done = s.done | (1::bigint << v_abi.abi_id)
        WHERE s.abi3_from <= v_abi.py_major * 1000 + v_abi.py_minor;
    END IF;
    INSERT INTO queue (ver_id, abi_id, prio, attempt)
    SELECT s.ver_id, v_abi.abi_id, s.prio, 1
    FROM vstate s
    WHERE NOT s.covered AND NOT s.blocked AND (s.done >> v_abi.abi_id) & 1 = 0
        AND NOT EXISTS (SELECT FROM queue q WHERE q.ver_id = s.ver_id)
        AND NOT EXISTS (SELECT FROM delayed d WHERE d.ver_id = s.ver_id)
        AND NOT EXISTS (SELECT FROM lease l WHERE l.ver_id = s.ver_id AND l.ended IS NULL);
    GET DIAGNOSTICS v_opened = ROW_COUNT;
    RETURN v_opened;
END
$$;
