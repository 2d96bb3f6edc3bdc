-- What the operator's policies are: one row; what holds where none is set.
--   wheels       which of the index's own wheels settle a version, so that nothing of the index is shadowed:
--                'pure' one for every Python and platform (the default), 'any' those for an ABI and its platforms too,
--                'none'
--   prereleases  'last' after everything else (the default), 'skip'; where a package has nothing else, they count as
--                final releases
--   cooldown     seconds between the upload of a version and its first hand-out; 0 (the default) to 2,592,000
-- May be read by: functions of this schema.
CREATE VIEW piw.setting AS
SELECT coalesce((SELECT o.value FROM piw.policy o WHERE o.name = 'wheels'), 'pure') AS wheels,
    coalesce((SELECT o.value FROM piw.policy o WHERE o.name = 'prereleases'), 'last') AS prereleases,
    coalesce((SELECT o.value FROM piw.policy o WHERE o.name = 'cooldown'), '0')::integer AS cooldown;
