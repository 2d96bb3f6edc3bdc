-- Nothing is built for an ABI any more, for this reason. What is published for it stays, and what is being built is
-- finished; what waits for it is taken on to the next ABI by walk(). `add_abi` takes it up again. Retiring it again
-- for the same reason changes nothing.
-- The answer: {"abi", "reason", "changed"}.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.retire_abi(p_tag text, p_reason text)
RETURNS TABLE (answer text, opened text[], cancelled bigint[], more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_changed boolean;
BEGIN
    PERFORM _check_reason(p_reason);
    IF coalesce(p_tag, '') = '' THEN
        RAISE EXCEPTION 'the ABI is empty' USING ERRCODE = '22023';
    END IF;
    LOCK TABLE abi IN EXCLUSIVE MODE;
    UPDATE abi a SET skip = p_reason WHERE a.abi_id = _known_abi(p_tag) AND a.skip IS DISTINCT FROM p_reason;
    v_changed := FOUND;
    IF v_changed THEN
        -- it opens nothing; every project's page goes by, and shows the ABI no more
        INSERT INTO walk (kind, next_ver) VALUES ('open', 0) ON CONFLICT (kind) DO UPDATE SET next_ver = 0;
    END IF;
    RETURN QUERY SELECT jsonb_build_object('abi', p_tag, 'reason', p_reason, 'changed', v_changed)::text,
        '{}'::text[], '{}'::bigint[], false;
END
$$;
