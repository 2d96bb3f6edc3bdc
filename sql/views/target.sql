-- Each version with each ABI.
--   off   why it is not built for this ABI although nothing speaks against the version, for people; null when nothing
--         does
--   open  it is to be built for it, as far as the ABI goes: neither an attempt nor an abi3 wheel settles it, and it is not
--         off. Whether the version itself is open (vstate.covered, blocked) is not looked at
-- May be read by: functions of this schema.
CREATE VIEW piw.target AS
SELECT c.ver_id, c.abi_id, c.rank, c.off, c.off IS NULL AND NOT c.settled AS open
FROM (
    SELECT s.ver_id, a.abi_id, a.rank, (s.done >> a.abi_id) & 1 = 1 OR piw._abi3_serves(s.abi3_from, a) AS settled,
        CASE
            WHEN a.skip IS NOT NULL THEN 'nothing is built for this ABI any more: ' || a.skip
            WHEN a.py_major = 3 AND a.py_minor <= 62 AND (v.pythons >> a.py_minor) & 1 = 0
                THEN 'the version is not for this Python'
            ELSE coalesce(
                (SELECT 'the package is skipped for this ABI: ' || k.reason FROM piw.skip_abi k
                    WHERE k.pkg_id = v.pkg_id AND k.abi_id = a.abi_id),
                CASE WHEN cardinality(v.tags) > 0 AND (SELECT o.wheels FROM piw.setting o) = 'any' THEN
                    (SELECT 'the index has a wheel for it: ' || t.tags FROM unnest(v.tags) AS t(tags)
                        WHERE piw._serves(t.tags, a) LIMIT 1)
                END)
        END AS off
    FROM piw.vstate s
    JOIN piw.version v ON v.ver_id = s.ver_id
    CROSS JOIN piw.abi a
) AS c;
