-- The Python (major * 1000 + minor) from which files of one build serve every ABI; null when they do not: that
-- takes one abi3 file at least, and beside such nothing but files without ABI.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._abi3_from(p_python_tags text[], p_abi_tags text[]) RETURNS integer
LANGUAGE sql IMMUTABLE SET search_path = piw, pg_temp
AS $$
    SELECT CASE WHEN bool_and(f.lowest IS NOT NULL OR f.abi_tag = 'none') THEN max(f.lowest) END
    FROM (
        SELECT files.abi_tag, CASE WHEN files.abi_tag = 'abi3' THEN (
            SELECT min(m[1]::integer * 1000 + m[2]::integer)
            FROM unnest(string_to_array(files.python_tag, '.')) AS one(tag),
                 regexp_match(one.tag, '^cp([0-9])([0-9]{1,3})$') AS m
        ) END AS lowest
        FROM unnest(p_python_tags, p_abi_tags) AS files(python_tag, abi_tag)
    ) AS f
$$;
