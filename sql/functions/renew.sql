-- Lets live leases run p_lease_secs from now; unknown and ended ones are passed over. Returns how many were renewed.
-- A renewal never shortens a lease. The commit need not reach the disk: the next renewal is seconds away.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.renew(p_builds bigint[], p_lease_secs integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_expiry timestamptz;
    v_renewed integer;
BEGIN
    PERFORM _check_lease('any', p_lease_secs);
    IF p_builds IS NULL OR cardinality(p_builds) > 1000 THEN
        RAISE EXCEPTION 'between 0 and 1,000 leases are renewed at a time' USING ERRCODE = '22023';
    END IF;
    PERFORM set_config('synchronous_commit', 'off', true);
    v_expiry := clock_timestamp() + make_interval(secs => p_lease_secs);
    -- in one order, so that two renewals cannot wait for each other
    WITH live AS (
        SELECT l.build_id FROM lease l WHERE l.build_id = ANY (p_builds) AND l.ended IS NULL
        ORDER BY l.build_id FOR UPDATE
    )
    UPDATE lease l SET expires_at = greatest(l.expires_at, v_expiry) FROM live WHERE l.build_id = live.build_id;
    GET DIAGNOSTICS v_renewed = ROW_COUNT;
    RETURN v_renewed;
END
$$;
