-- What became of looking a requirement up: met (p_refused null, p_retry_secs null); refused for a reason, for good; or
-- looked at again after p_retry_secs, doubled with every failure up to a day.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.requirement_done(p_req bigint, p_refused text, p_retry_secs integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
BEGIN
    IF p_req IS NULL OR p_retry_secs < 1 THEN
        RAISE EXCEPTION 'no requirement, or a retry in the past' USING ERRCODE = '22023';
    END IF;
    UPDATE requirement r SET refused = left(p_refused, 1000), fails = least(r.fails + 1, 1000),
        met_at = CASE WHEN p_refused IS NULL AND p_retry_secs IS NULL THEN clock_timestamp() END,
        due = clock_timestamp() + make_interval(secs => least(coalesce(p_retry_secs, 0) * 2 ^ least(r.fails, 12), 86400))
    WHERE r.req_id = p_req;
    DELETE FROM requirement r WHERE r.met_at < clock_timestamp() - interval '1 day';
END
$$;
