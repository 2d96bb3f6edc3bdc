-- The build tag that the next wheel of a version for an ABI is to have: 0, for none, as long as no file of the version had a
-- name that such a wheel may get; else the number above every build tag of the version's file names, published or
-- withdrawn, so that the wheel's name is new and pip and uv prefer it.
-- Which names a wheel may get follows from what the master accepts (src/domain/wheel.rs): this ABI, the stable one where
-- it has that, or none; and no later Python. The platform is not looked at: what is published for one may be offered under
-- the name of another (views/platform_alias.sql).
-- May be called by: functions of this schema.
CREATE FUNCTION piw._build_tag(p_ver integer, p_abi smallint) RETURNS bigint
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    -- of a backend's own build tags the master takes 15 digits; a farm that was taken over may have longer ones
    SELECT CASE WHEN bool_or(
            string_to_array(n.part[3], '.') && CASE WHEN a.flags LIKE '%t%' THEN ARRAY[a.tag, 'none']
                ELSE ARRAY[a.tag, 'none', 'abi3'] END
            AND NOT EXISTS (
                SELECT FROM unnest(string_to_array(n.part[2], '.')) AS p(tag),
                    regexp_match(p.tag, '^cp([0-9])([0-9]{1,3})$') AS m
                WHERE m[1]::integer * 1000 + m[2]::integer > a.py_major * 1000 + a.py_minor))
        THEN least(max(coalesce(n.part[1], '0')::numeric) + 1, 999999999999999999)::bigint ELSE 0 END
    FROM abi a
    CROSS JOIN (
        SELECT f.filename FROM file f WHERE f.ver_id = p_ver
        UNION ALL
        SELECT w.filename FROM withdrawn w WHERE w.ver_id = p_ver
    ) AS o
    CROSS JOIN LATERAL regexp_match(o.filename,
        '^[^-]+-[^-]+-(?:([0-9]+)[^-]*-)?([^-]+)-([^-]+)-[^-]+$') AS n(part)
    WHERE a.abi_id = p_abi
$$;
