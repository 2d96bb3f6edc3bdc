-- Builds keep their numbers, and the farm's go on after the largest that the original gave: no log is overwritten.
-- The secret is nobody's: no slave holds one of these jobs. Durations are bounded as those of the farm's own builds are.
INSERT INTO piw.build (build_id, ver_id, abi_id, attempt, slave, outcome, secret, built_at, duration_ms, log_bytes)
SELECT b.build_id, n.ver_id, a.abi_id, 1, 'slave ' || b.built_by, CASE WHEN b.status THEN 'built' ELSE 'failed' END,
    uuid_send(gen_random_uuid()), b.built_at AT TIME ZONE 'UTC',
    least(greatest(round(extract(epoch FROM b.duration) * 1000), 0), 30::bigint * 24 * 3600 * 1000), 0
FROM public.builds b
JOIN pg_temp.original_number n ON n.package = b.package AND n.version = b.version
JOIN piw.abi a ON a.tag = b.abi_tag COLLATE "C"
WHERE b.build_id > 0;
DROP TABLE pg_temp.original_number;
ANALYZE piw.build;
SELECT setval('piw.build_id_seq', o.largest)
FROM (SELECT max(b.build_id)::bigint AS largest FROM public.builds b) AS o WHERE o.largest > 0;
