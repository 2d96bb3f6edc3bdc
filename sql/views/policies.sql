-- The policies that there are, one row each, whether set or not.
--   value     what holds
--   fallback  what holds where none is set
--   choices   the values that there are; null: a number of seconds, 0 to `most`, or, where that is null, too, text
--   form      that matches this regular expression, and is called `called`
--   judges    versions are judged by it, so that a change asks for a walk
--   reason, set_at  of the operator; null where none is set
--
--   wheels       which of the index's own wheels settle a version, so that nothing of the index is shadowed:
--                'pure' one for every Python and platform, 'any' those for an ABI and its platforms too, 'none'
--   prereleases  'last' after everything else, 'skip'; where a package has nothing else, they count as final releases
--   cooldown     seconds between the upload of a version and its first hand-out
--   aliases      platforms whose wheels are offered under another platform's tag, too
-- May be read by: functions of this schema.
CREATE VIEW piw.policies AS
SELECT k.name, coalesce(o.value, k.fallback) AS value, k.fallback, k.choices, k.most, k.judges, k.form, k.called, o.reason, o.set_at
FROM (VALUES
    ('wheels', 'pure', '{pure,any,none}'::text[], NULL::integer, true, NULL, NULL),
    ('prereleases', 'last', '{last,skip}', NULL, true, NULL, NULL),
    ('cooldown', '0', NULL, 2592000, false, NULL, NULL),
    ('aliases', '', NULL, NULL, false, '^[a-z0-9_]+=[a-z0-9_]+(,[a-z0-9_]+=[a-z0-9_]+){0,15}$',
        'a list of PLATFORM=ALIAS with commas between them')
) AS k(name, fallback, choices, most, judges, form, called)
LEFT JOIN piw.policy o ON o.name = k.name;
