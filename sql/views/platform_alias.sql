-- Which platforms' wheels are offered under which other platforms' tags, too: the policy `aliases`, a row for each pair.
-- May be read by: functions of this schema.
CREATE VIEW piw.platform_alias AS
SELECT split_part(p.pair, '=', 1) AS platform, split_part(p.pair, '=', 2) AS alias
FROM piw.policies o CROSS JOIN LATERAL regexp_split_to_table(o.value, ',') AS p(pair)
WHERE o.name = 'aliases' AND p.pair <> '';
