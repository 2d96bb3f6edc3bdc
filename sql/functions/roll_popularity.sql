-- The daily look at what is downloaded, a piece at a time: brings package.dl_bucket of the next packages that were ever
-- downloaded in step with the downloads of the last 30 days, today included (UTC), and where it changed, the priorities
-- of the package's open versions (_reprioritise.sql). Says how many packages it looked at: p_limit at most, fewer when
-- a second has passed; none when the day's look is done, or somebody else is at it. What is left goes on with the next
-- call, also after a restart; a look that is not done when its day ends goes on before the next begins.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.roll_popularity(p_limit integer) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_until timestamptz := clock_timestamp() + interval '1 s';
    v_today date := (clock_timestamp() AT TIME ZONE 'UTC')::date;
    v_state popularity;
    v_bucket smallint;
    v_looked integer := 0;
BEGIN
    IF p_limit IS NULL OR p_limit NOT BETWEEN 1 AND 10000 THEN
        RAISE EXCEPTION 'between 1 and 10,000 packages are looked at at a time' USING ERRCODE = '22023';
    END IF;
    LOCK TABLE abi IN ROW SHARE MODE;
    SELECT * INTO v_state FROM popularity p WHERE p.id = 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND OR (v_state.last_pkg IS NULL AND v_state.day = v_today) THEN
        RETURN 0;
    END IF;
    IF v_state.last_pkg IS NULL THEN
        v_state.day := v_today;
        v_state.last_pkg := 0;
    END IF;
    LOOP
        SELECT o.pkg_id, o.bucket INTO v_state.last_pkg, v_bucket FROM _popularity(v_state.last_pkg, v_today) AS o;
        EXIT WHEN v_state.last_pkg IS NULL;
        v_looked := v_looked + 1;
        UPDATE package p SET dl_bucket = v_bucket WHERE p.pkg_id = v_state.last_pkg AND p.dl_bucket <> v_bucket;
        IF FOUND THEN
            PERFORM _reprioritise(v_state.last_pkg);
        END IF;
        EXIT WHEN v_looked >= p_limit OR clock_timestamp() >= v_until;
    END LOOP;
    UPDATE popularity p SET day = v_state.day, last_pkg = v_state.last_pkg WHERE p.id = 1;
    RETURN v_looked;
END
$$;
