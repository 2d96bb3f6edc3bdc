-- The ABIs, for people: a JSON object
--   {"abis": [{"abi", "rank", "skip": why nothing is built for it any more, or null, "platforms"}], by rank
--    "walk": null, or {"at", "of": version numbers, of which a walk has come so far}}
-- A walk is under way while versions wait for being opened for a new ABI, taken on from a retired one or judged by a new
-- policy (walk.sql); "at" is null while they are only taken on.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.abi_report() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
    SELECT jsonb_build_object(
        'abis', (SELECT coalesce(jsonb_agg(jsonb_build_object('abi', a.tag, 'rank', a.rank, 'skip', a.skip,
                'platforms', a.platforms) ORDER BY a.rank), '[]') FROM abi a),
        'walk', CASE WHEN w.at IS NOT NULL OR EXISTS (
                SELECT FROM abi a WHERE a.skip IS NOT NULL
                    AND (EXISTS (SELECT FROM queue q WHERE q.abi_id = a.abi_id AND q.ready)
                        OR EXISTS (SELECT FROM queue q WHERE q.abi_id = a.abi_id AND NOT q.ready)
                        OR EXISTS (SELECT FROM delayed d WHERE d.abi_id = a.abi_id)))
            THEN jsonb_build_object('at', w.at, 'of', (SELECT max(s.ver_id) FROM vstate s)) END)::text
    FROM (SELECT min(o.next_ver) AS at FROM walk o) AS w
$$;
