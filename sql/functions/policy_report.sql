-- What the operator decided for the whole farm, for people: a JSON object
--   {"policies": [{"name", "value": what holds, "default": what holds where none is set, "choices": or null for a number
--     of seconds, "reason", "set_at": null where none is set}], by name
--    "blocks": [{"pattern", "reason", "set_at"}]} by pattern. Moments are seconds since 1970.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.policy_report() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
    SELECT jsonb_build_object(
        'policies', (SELECT jsonb_agg(jsonb_build_object('name', o.name, 'value', o.value, 'default', o.fallback,
                'choices', o.choices, 'reason', o.reason, 'set_at', floor(extract(epoch FROM o.set_at))::bigint)
            ORDER BY o.name) FROM policies o),
        'blocks', (SELECT coalesce(jsonb_agg(jsonb_build_object('pattern', b.pattern, 'reason', b.reason,
                'set_at', floor(extract(epoch FROM b.set_at))::bigint) ORDER BY b.pattern), '[]') FROM block b))::text
$$;
