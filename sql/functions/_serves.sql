-- Whether a wheel of the index, by its tags as in its name, serves an ABI on every platform of the farm's slaves for it.
-- An ABI without platforms is served by none: nobody knows what its slaves are. musllinux serves no glibc.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._serves(p_tags text, p_abi piw.abi) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = piw, pg_temp
AS $$
    SELECT cardinality(p_abi.platforms) > 0
        AND (p_abi.tag = ANY (t.abis)
            OR ('none' = ANY (t.abis) AND (p_abi.tag = ANY (t.pythons) OR 'py' || p_abi.py_major = ANY (t.pythons)))
            OR ('abi3' = ANY (t.abis) AND p_abi.flags NOT LIKE '%t%' AND EXISTS (
                SELECT FROM unnest(t.pythons) AS one(tag), regexp_match(one.tag, '^cp([0-9])([0-9]{1,3})$') AS m
                WHERE m[1]::integer * 1000 + m[2]::integer <= p_abi.py_major * 1000 + p_abi.py_minor)))
        AND NOT EXISTS (
            SELECT FROM unnest(p_abi.platforms) AS own(platform)
            WHERE NOT EXISTS (
                SELECT FROM unnest(t.platforms) AS one(platform)
                WHERE one.platform IN ('any', own.platform)
                    OR (one.platform ~ '^manylinux' AND own.platform ~ '^linux_'
                        AND right(one.platform, length(own.platform) - 5) = substr(own.platform, 6))))
    FROM (
        SELECT string_to_array(split_part(p_tags, '-', 1), '.') AS pythons,
            string_to_array(split_part(p_tags, '-', 2), '.') AS abis,
            string_to_array(split_part(p_tags, '-', 3), '.') AS platforms
    ) AS t
$$;
