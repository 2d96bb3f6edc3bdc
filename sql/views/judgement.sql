-- What follows for each version from the tables alone. vstate and queue keep it, and the audit compares.
--
-- why_not: what speaks against building it, for people; null when nothing does (vstate.blocked). What an operator said
-- comes first, then what the index says. A version that somebody asked for by its number (==) is built although it is
-- yanked; one that was asked for is built although it is a pre-release.
--
-- prio: its priority as one number, smaller first; the class in the bits from 48 on:
--   class 0  asked for by a person: in the order of asking (48 bits), who expects what was asked for first to be built
--            first, in the order of the lines of one request, and one request after the other
--   class 1  new releases: by the time of release, popular ones half an hour earlier for each bit of their downloads;
--            time goes on for everybody, so that nobody's release waits for ever
--   class 2  the newest version of a package, 3 the older ones, 4 pre-releases of packages that have final releases:
--            by popularity (8 bits), then youngest first (16 bits of days), then by number (24 bits)
-- May be read by: functions of this schema.
CREATE VIEW piw.judgement AS
SELECT s.ver_id, CASE
        WHEN p.skip IS NOT NULL THEN 'the package is skipped: ' || p.skip
        WHEN v.skip IS NOT NULL THEN 'skipped: ' || v.skip
        WHEN v.yank IS NOT NULL THEN 'the operator has yanked it' || coalesce(': ' || nullif(v.yank, ''), '')
        WHEN b.reason IS NOT NULL THEN 'the name is blocked: ' || b.reason
        WHEN p.removed_at IS NOT NULL THEN 'the index has removed the project'
        WHEN p.status = 'quarantined' THEN
            'the index has put the project under quarantine' || coalesce(': ' || nullif(p.status_reason, ''), '')
        WHEN v.removed_at IS NOT NULL THEN 'the index has removed the release'
        WHEN p.missing_since IS NOT NULL THEN 'the index has no page of the project; it is asked again'
        WHEN NOT v.sdist THEN 'the index has no source distribution of it'
        WHEN v.yanked IS NOT NULL AND NOT v.named THEN 'yanked' || coalesce(': ' || nullif(v.yanked, ''), '')
        WHEN v.pure IS NOT NULL AND o.wheels <> 'none' THEN
            'the index has a wheel for every Python and platform: ' || v.pure
        WHEN v.prerelease AND s.asked IS NULL AND o.prereleases = 'skip' AND NOT coalesce(n.prerelease, true)
            THEN 'pre-releases are not built'
    END AS why_not,
    CASE
        WHEN s.asked IS NOT NULL THEN s.asked & 281474976710655
        WHEN v.prerelease AND NOT coalesce(n.prerelease, true) THEN (4::bigint << 48) | t.low
        WHEN v.fresh THEN (1::bigint << 48) | greatest(0, t.secs - 1800 * p.dl_bucket)
        WHEN p.newest = v.ver_id THEN (2::bigint << 48) | t.low
        ELSE (3::bigint << 48) | t.low
    END AS prio
FROM piw.vstate s
JOIN piw.version v ON v.ver_id = s.ver_id
JOIN piw.package p ON p.pkg_id = v.pkg_id
LEFT JOIN piw.version n ON n.ver_id = p.newest
CROSS JOIN piw.setting o
LEFT JOIN LATERAL (
    SELECT c.reason FROM piw.block c
    WHERE p.name LIKE piw._like(c.pattern)
    ORDER BY c.pattern LIMIT 1
) AS b ON true
CROSS JOIN LATERAL (
    SELECT r.secs, ((40 - p.dl_bucket)::bigint << 40) | ((65535 - least(r.secs / 86400, 65535)) << 24)
        | (v.ver_id & 16777215) AS low
    FROM (SELECT least(greatest(coalesce(extract(epoch FROM v.released), 0), 0), 1e13)::bigint AS secs) AS r
) AS t;
