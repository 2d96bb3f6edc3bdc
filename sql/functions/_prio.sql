-- The priority of a version as one number, smaller first:
--   class (8 bits) | inverse log2 of downloads (8) | rank from the newest version (12) | tie-break (28).
-- Class 0 was asked for by a person. Downloads are not counted yet, so their part is constant. The rank is that of
-- the moment of asking: a version does not move when a newer one appears.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._prio(p_class integer, p_pkg integer, p_ver integer, p_sort_key bytea) RETURNS bigint
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    SELECT (p_class::bigint << 48) | (255::bigint << 40) | (newer.n << 28) | (p_ver & 268435455)
    FROM (
        SELECT count(*) AS n
        FROM (SELECT FROM version v WHERE v.pkg_id = p_pkg AND v.sort_key > p_sort_key LIMIT 4095) AS few
    ) AS newer
$$;
