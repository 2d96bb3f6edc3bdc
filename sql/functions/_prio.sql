-- The priority of a version as one number, smaller first:
--   class 0  asked for by a person: in the order of asking (48 bits), who expects what was asked for first to be built
--            first, in the order of the lines of one request, and one request after the other
--   class 1  new releases: by the time of release, popular ones half an hour earlier for each bit of their downloads;
--            time goes on for everybody, so that nobody's release waits for ever
--   class 2  the newest version of a package, 3 the older ones, 4 pre-releases of packages that have final releases:
--            by popularity (8 bits), then youngest first (16 bits of days), then by number (24 bits)
-- with the class in the bits from 48 on. It follows from the tables alone; vstate and queue keep it, and the audit
-- compares.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._prio(p_ver integer) RETURNS bigint
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    SELECT CASE
        WHEN s.asked IS NOT NULL THEN s.asked & 281474976710655
        WHEN v.prerelease AND NOT coalesce(n.prerelease, true) THEN (4::bigint << 48) | o.low
        WHEN v.fresh THEN (1::bigint << 48) | greatest(0, o.secs - 1800 * p.dl_bucket)
        WHEN p.newest = v.ver_id THEN (2::bigint << 48) | o.low
        ELSE (3::bigint << 48) | o.low
    END
    FROM vstate s
    JOIN version v ON v.ver_id = s.ver_id
    JOIN package p ON p.pkg_id = v.pkg_id
    LEFT JOIN version n ON n.ver_id = p.newest
    CROSS JOIN LATERAL (
        SELECT least(greatest(coalesce(extract(epoch FROM v.released), 0), 0), 1e13)::bigint AS secs
    ) AS t
    CROSS JOIN LATERAL (
        SELECT t.secs, ((40 - p.dl_bucket)::bigint << 40)
            | ((65535 - least(t.secs / 86400, 65535)) << 24) | (v.ver_id & 16777215) AS low
    ) AS o
    WHERE s.ver_id = p_ver
$$;
