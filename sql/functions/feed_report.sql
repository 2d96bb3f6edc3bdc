-- How far the index is followed, for people: a JSON object
--   {"serial": every event up to it is in the tables, "settled": none is expected late up to here,
--    "heard_at": when the changelog last answered, or null, "lag_secs": how long ago that is,
--    "listed_at": when the list of all projects was last compared to its end, or null,
--    "pages_due": project pages to be read now, "pages_later": at a moment to come,
--    "unchecked": jobs that wait for a look at their project's page, "unreadable": that wait because it cannot be read,
--    "cooldown": that are too new yet; at most 100,000 of each are counted,
--    "wishes": what people asked for and new releases are held against,
--    "requirements": {"waiting", "refused": how many, "reasons": [{"name", "specifiers", "of", "reason"}] at most 100}}
-- Moments are seconds since 1970.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.feed_report() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
    SELECT jsonb_build_object(
        'serial', f.serial, 'settled', f.settled,
        'heard_at', floor(extract(epoch FROM f.heard_at))::bigint,
        'lag_secs', floor(extract(epoch FROM clock_timestamp() - f.heard_at))::bigint,
        'listed_at', floor(extract(epoch FROM f.listed_at))::bigint,
        'pages_due', (SELECT count(*) FROM (
            SELECT FROM package p WHERE p.read_due <= now() LIMIT 100000) AS few),
        'pages_later', (SELECT count(*) FROM (
            SELECT FROM package p WHERE p.read_due > now() LIMIT 100000) AS few),
        'unchecked', (SELECT count(*) FROM (SELECT FROM queue q WHERE NOT q.ready LIMIT 100000) AS few),
        'unreadable', (SELECT count(*) FROM (SELECT FROM delayed d WHERE d.why = 'page' LIMIT 100000) AS few),
        'cooldown', (SELECT count(*) FROM (SELECT FROM delayed d WHERE d.why = 'cooldown' LIMIT 100000) AS few),
        'wishes', (SELECT count(*) FROM wish),
        'requirements', jsonb_build_object(
            'waiting', (SELECT count(*) FROM requirement r WHERE r.refused IS NULL AND r.met_at IS NULL),
            'refused', (SELECT count(*) FROM requirement r WHERE r.refused IS NOT NULL),
            'reasons', (SELECT coalesce(jsonb_agg(jsonb_build_object('name', o.name, 'specifiers', o.specifiers,
                    'of', o.of, 'reason', o.refused) ORDER BY o.name, o.specifiers), '[]')
                FROM (SELECT r.* FROM requirement r WHERE r.refused IS NOT NULL
                    ORDER BY r.name, r.specifiers LIMIT 100) AS o)))::text
    FROM feed f
$$;
