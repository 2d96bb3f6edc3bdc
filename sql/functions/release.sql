-- A slave gives its job back: queued again at once, the attempt not counted. Returns the ABI whose queue has the
-- version now, null when none has. A lease that ended before stays as it is, so asking twice changes nothing.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.release(p_build bigint, p_secret bytea) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_lease lease;
BEGIN
    PERFORM _check_token(p_build, p_secret);
    LOCK TABLE abi IN ROW SHARE MODE;
    SELECT * INTO v_lease FROM lease l WHERE l.build_id = p_build AND l.secret = p_secret FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    IF v_lease.ended IS NULL THEN
        PERFORM FROM vstate s WHERE s.ver_id = v_lease.ver_id FOR NO KEY UPDATE;
        UPDATE lease l SET ended = 'released', ended_at = clock_timestamp() WHERE l.build_id = p_build;
        PERFORM _requeue(v_lease.ver_id, v_lease.abi_id, v_lease.attempt, NULL);
        PERFORM _order_page(v.pkg_id) FROM version v WHERE v.ver_id = v_lease.ver_id;
    END IF;
    RETURN (SELECT a.tag FROM queue q JOIN abi a USING (abi_id) WHERE q.ver_id = v_lease.ver_id);
END
$$;
