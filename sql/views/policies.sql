-- The policies that there are, one row each, whether set or not.
--   value     what holds
--   fallback  what holds where none is set
--   choices   the values that there are; null: a number of seconds, 0 to `most`
--   judges    versions are judged by it, so that a change asks for a walk
--   reason, set_at  of the operator; null where none is set
--
--   wheels       which of the index's own wheels settle a version, so that nothing of the index is shadowed:
--                'pure' one for every Python and platform, 'any' those for an ABI and its platforms too, 'none'
--   prereleases  'last' after everything else, 'skip'; where a package has nothing else, they count as final releases
--   cooldown     seconds between the upload of a version and its first hand-out
-- May be read by: functions of this schema.
CREATE VIEW piw.policies AS
SELECT k.name, coalesce(o.value, k.fallback) AS value, k.fallback, k.choices, k.most, k.judges, o.reason, o.set_at
FROM (VALUES
    ('wheels', 'pure', '{pure,any,none}'::text[], NULL::integer, true),
    ('prereleases', 'last', '{last,skip}', NULL, true),
    ('cooldown', '0', NULL, 2592000, false)
) AS k(name, fallback, choices, most, judges)
LEFT JOIN piw.policy o ON o.name = k.name;
