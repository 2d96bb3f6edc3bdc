-- Why a version is not built for an ABI although nothing speaks against the version, for people; null when nothing does.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._off(p_version piw.version, p_abi piw.abi) RETURNS text
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    SELECT CASE
        WHEN p_abi.skip IS NOT NULL THEN 'nothing is built for this ABI any more: ' || p_abi.skip
        WHEN p_abi.py_major = 3 AND p_abi.py_minor <= 62 AND (p_version.pythons >> p_abi.py_minor) & 1 = 0
            THEN 'the version is not for this Python'
        ELSE coalesce(
            (SELECT 'the package is skipped for this ABI: ' || k.reason FROM skip_abi k
                WHERE k.pkg_id = p_version.pkg_id AND k.abi_id = p_abi.abi_id),
            CASE WHEN cardinality(p_version.tags) > 0 AND _policy('wheels') = 'any' THEN
                (SELECT 'the index has a wheel for it: ' || t.tags FROM unnest(p_version.tags) AS t(tags)
                    WHERE _serves(t.tags, p_abi) LIMIT 1)
            END)
    END
$$;
