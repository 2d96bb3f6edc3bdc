-- What holds of the operator's policies (views/policies.sql): one row.
-- May be read by: functions of this schema.
CREATE VIEW piw.setting AS
SELECT (SELECT o.value FROM piw.policies o WHERE o.name = 'wheels') AS wheels,
    (SELECT o.value FROM piw.policies o WHERE o.name = 'prereleases') AS prereleases,
    (SELECT o.value::integer FROM piw.policies o WHERE o.name = 'cooldown') AS cooldown;
