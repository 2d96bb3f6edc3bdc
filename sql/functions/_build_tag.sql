-- The build tag that the next wheel of a version for an ABI is to have: 0, for none, as long as no file of the version had a
-- name that such a wheel may get; else the number above every build tag of the version's file names, published or
-- withdrawn, so that the wheel's name is new and pip and uv prefer it.
-- Which names a wheel may get follows from what the master accepts (src/domain/wheel.rs): this ABI, the stable one where
-- it has that, or none; and no later Python. The platform is not looked at: what is published for one may be offered under
-- the name of another (views/platform_alias.sql).
-- Asked by every claim: most versions have no file yet, and are answered by two index look-ups.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._build_tag(p_ver integer, p_abi smallint) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = piw, pg_temp
AS $$
DECLARE
    v_tag bigint;
BEGIN
    IF NOT EXISTS (SELECT FROM file f WHERE f.ver_id = p_ver)
        AND NOT EXISTS (SELECT FROM withdrawn w WHERE w.ver_id = p_ver)
    THEN
        RETURN 0;
    END IF;
    -- of a backend's own build tags the master takes 15 digits; a farm that was taken over may have longer ones
    SELECT CASE WHEN bool_or(a.tag = ANY (n.abis) OR (
            n.abis && CASE WHEN a.flags LIKE '%t%' THEN ARRAY['none'] ELSE ARRAY['none', 'abi3'] END
            AND NOT EXISTS (
                SELECT FROM unnest(string_to_array(n.pythons, '.')) AS p(tag),
                    regexp_match(p.tag, '^cp([0-9])([0-9]{1,3})$') AS m
                WHERE m[1]::integer * 1000 + m[2]::integer > a.py_major * 1000 + a.py_minor)))
        THEN least(max(n.tag) + 1, 999999999999999999)::bigint ELSE 0 END
    INTO v_tag
    FROM abi a
    CROSS JOIN (
        SELECT f.filename FROM file f WHERE f.ver_id = p_ver
        UNION ALL
        SELECT w.filename FROM withdrawn w WHERE w.ver_id = p_ver
    ) AS o
    CROSS JOIN LATERAL string_to_array(o.filename, '-') AS s(part)
    CROSS JOIN LATERAL (
        SELECT CASE WHEN cardinality(s.part) = 6 THEN coalesce(substring(s.part[3] FROM '^[0-9]+'), '0')::numeric
                ELSE 0 END AS tag,
            s.part[cardinality(s.part) - 2] AS pythons, string_to_array(s.part[cardinality(s.part) - 1], '.') AS abis
    ) AS n
    WHERE a.abi_id = p_abi;
    RETURN v_tag;
END
$$;
