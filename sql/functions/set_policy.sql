-- Sets a policy of the whole farm (views/policies.sql knows them), or with null goes back to what holds where none is set.
-- Where versions are judged by it, a walk judges them anew; where 'cooldown' became shorter, what waits for it comes
-- earlier: at most 5,000 jobs a call, `more` says that the same order is to be given again for the rest. Setting what
-- is set, with the same reason, changes nothing. Where 'aliases' changed, the pages that this concerns are ordered.
-- The answer: {"policy", "value": what holds, "default": whether that is because none is set, "reason": or null,
-- "changed", "walk": versions are judged by it by and by}.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.set_policy(p_name text, p_value text, p_reason text)
RETURNS TABLE (answer text, opened text[], cancelled bigint[], more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    c_at_once CONSTANT integer := 5000;
    v_before policies;
    v_after policies;
    v_changed boolean;
    v_moved bigint := 0;
    v_platforms text[] := ARRAY(SELECT a.platform FROM platform_alias a);
BEGIN
    LOCK TABLE abi IN EXCLUSIVE MODE;
    SELECT * INTO v_before FROM policies o WHERE o.name = p_name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'no policy is called "%"; there are %', coalesce(p_name, 'null'),
            (SELECT string_agg(o.name, ', ' ORDER BY o.name) FROM policies o) USING ERRCODE = '22023';
    ELSIF v_before.choices IS NOT NULL AND NOT coalesce(p_value, v_before.fallback) = ANY (v_before.choices) THEN
        RAISE EXCEPTION 'the policy % is one of %, not "%"', p_name, array_to_string(v_before.choices, ', '), p_value
            USING ERRCODE = '22023';
    ELSIF v_before.most IS NOT NULL
        -- as the view reads it: what is no number is never compared as one
        AND NOT (CASE WHEN coalesce(p_value, v_before.fallback) ~ '^(0|[1-9][0-9]{0,8})$'
            THEN coalesce(p_value, v_before.fallback)::integer <= v_before.most ELSE false END)
    THEN
        RAISE EXCEPTION 'the policy % is a number of seconds up to %, not "%"', p_name, v_before.most, p_value
            USING ERRCODE = '22023';
    ELSIF v_before.form IS NOT NULL AND p_value IS NOT NULL AND p_value !~ v_before.form THEN
        RAISE EXCEPTION 'the policy % is %, not "%"', p_name, v_before.called, p_value USING ERRCODE = '22023';
    ELSIF p_reason IS NULL OR length(p_reason) > 1000 THEN
        RAISE EXCEPTION 'a reason has at most 1,000 characters' USING ERRCODE = '22023';
    END IF;
    IF p_value IS NULL THEN
        DELETE FROM policy o WHERE o.name = p_name;
    ELSE
        INSERT INTO policy AS o (name, value, reason, set_at) VALUES (p_name, p_value, p_reason, clock_timestamp())
        ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value, reason = EXCLUDED.reason, set_at = EXCLUDED.set_at
            WHERE (o.value, o.reason) <> (EXCLUDED.value, EXCLUDED.reason);
    END IF;
    v_changed := FOUND;
    SELECT * INTO STRICT v_after FROM policies o WHERE o.name = p_name;
    IF v_after.judges AND v_after.value <> v_before.value THEN
        INSERT INTO walk (kind, next_ver) VALUES ('judge', 0) ON CONFLICT (kind) DO UPDATE SET next_ver = 0;
    ELSIF p_name = 'cooldown' THEN
        UPDATE delayed d SET due = e.due
        FROM (
            SELECT o.ver_id, o.abi_id, v.released + make_interval(secs => v_after.value::integer) AS due
            FROM delayed o JOIN version v ON v.ver_id = o.ver_id
            WHERE o.why = 'cooldown' AND o.due > v.released + make_interval(secs => v_after.value::integer)
            LIMIT c_at_once
        ) AS e
        WHERE d.ver_id = e.ver_id AND d.abi_id = e.abi_id;
        GET DIAGNOSTICS v_moved = ROW_COUNT;
    END IF;
    IF p_name = 'aliases' AND v_after.value <> v_before.value THEN
        -- as _order_page does, for all at once, and beside the farm's own
        INSERT INTO rewrite AS r (kind, pkg_id, ordered_at, bulk)
        SELECT 'project', f.pkg_id, clock_timestamp(), true FROM file f
        WHERE f.platform_tag = ANY (v_platforms || ARRAY(SELECT a.platform FROM platform_alias a)) GROUP BY f.pkg_id
        ON CONFLICT (kind, pkg_id) DO UPDATE SET ordered = nextval('rewrite_order_seq');
    END IF;
    RETURN QUERY SELECT
        jsonb_build_object('policy', p_name, 'value', v_after.value, 'default', v_after.set_at IS NULL,
            'reason', v_after.reason, 'changed', v_changed,
            'walk', v_after.judges AND v_after.value <> v_before.value)::text,
        '{}'::text[], '{}'::bigint[], v_moved >= c_at_once;
END
$$;
