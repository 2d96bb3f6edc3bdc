-- What the operator decided for the whole farm, for people: a JSON object
--   {"policies": [{"name", "value": what holds, "default": what holds where none is set, "choices": or null for a number
--     of seconds and for text, "called": what text is then, or null, "reason", "set_at": null where none is set}], by name
--    "blocks": [{"pattern", "reason", "set_at"}], by pattern
--    "skips": [{"package", "version": or null, "abi": or null, "reason"}] at most 1,000, "skips_count": how many there are}
-- Moments are seconds since 1970.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.policy_report() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
    WITH skipped AS (
        SELECT p.name, NULL::bytea AS sort_key, NULL::text AS version, NULL::text AS abi, p.skip AS reason
        FROM package p WHERE p.skip IS NOT NULL
        UNION ALL
        SELECT p.name, v.sort_key, v.version, NULL, v.skip
        FROM version v JOIN package p ON p.pkg_id = v.pkg_id WHERE v.skip IS NOT NULL
        UNION ALL
        SELECT p.name, NULL, NULL, a.tag, k.reason
        FROM skip_abi k JOIN package p ON p.pkg_id = k.pkg_id JOIN abi a ON a.abi_id = k.abi_id
    )
    SELECT jsonb_build_object(
        'policies', (SELECT jsonb_agg(jsonb_build_object('name', o.name, 'value', o.value, 'default', o.fallback,
                'choices', o.choices, 'called', o.called, 'reason', o.reason, 'set_at', floor(extract(epoch FROM o.set_at))::bigint)
            ORDER BY o.name) FROM policies o),
        'blocks', (SELECT coalesce(jsonb_agg(jsonb_build_object('pattern', b.pattern, 'reason', b.reason,
                'set_at', floor(extract(epoch FROM b.set_at))::bigint) ORDER BY b.pattern), '[]') FROM block b),
        'skips', (SELECT coalesce(jsonb_agg(jsonb_build_object('package', o.name, 'version', o.version, 'abi', o.abi,
                'reason', o.reason) ORDER BY o.name, o.sort_key NULLS FIRST, o.abi NULLS FIRST), '[]')
            FROM (SELECT k.* FROM skipped k ORDER BY k.name, k.sort_key NULLS FIRST, k.abi NULLS FIRST LIMIT 1000) AS o),
        'skips_count', (SELECT count(*) FROM skipped))::text
$$;
