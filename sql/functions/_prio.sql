-- The priority of a version as one number, smaller first:
--   class (8 bits) | order of asking (48)                                                          for class 0
--   class (8 bits) | inverse log2 of downloads (8) | rank from the newest version (12) | tie-break (28)  for the others
-- Class 0 was asked for by a person, who expects what was asked for first to be built first: in the order of the lines
-- of one request, and one request after the other. p_asked is that order, from asked_seq. Asking again never moves a
-- version back (_ask_again.sql).
-- In the other classes nobody waits for a certain version, and new ones are wanted before old ones. Downloads are not
-- counted yet, so their part is constant. The rank is that of the moment of asking: a version does not move when a newer
-- one appears.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._prio(p_class integer, p_asked bigint, p_pkg integer, p_ver integer, p_sort_key bytea)
RETURNS bigint
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    SELECT (p_class::bigint << 48) | CASE
        WHEN p_class = 0 THEN p_asked & 281474976710655
        ELSE (255::bigint << 40) | (p_ver & 268435455) | (
            SELECT count(*) << 28
            FROM (SELECT FROM version v WHERE v.pkg_id = p_pkg AND v.sort_key > p_sort_key LIMIT 4095) AS newer)
    END
$$;
