-- What became of a package, or of one version of it (p_sort_key; null for all); null when the farm does not know it.
-- A package that something only required, and that is not to be had, is known by that: without versions.
-- A JSON object:
--   {"package": canonical name, "display": author's spelling, "skip": reason or null,
--    "refused": [{"specifiers", "of": what requires it so, "reason": why there is none}] at most 100, "versions": [newest first
--     {"version", "yanked": reason or null, "skip": reason or null, "why_not": what speaks against building it or null,
--      "checked": whether the project's page spoke for it, "builds": [lowest ABI by rank first
--       {"abi", "state", "outcome", "build_id", "slave", "since", "built_at", "duration_ms", "log_bytes", "attempt", "place",
--        "due", "reason", "report", "files": [{"filename", "build_id": which made it, "size", "sha256", "python_tag", "abi_tag", "platform_tag"}]}]}]}
-- One entry per ABI that has any state:
--   building  a slave has it: build_id, slave, attempt are those of its lease, which it has `since` then
--   queued    attempt is the coming one, place counts from 1 and is null beyond 1,000
--   delayed   attempt is the coming one, queued again at `due`; reason is retry, cooldown or page
--   off       nothing is built for this ABI; reason says why
--   built     the newest attempt made wheels (or none, if files is empty)
--   failed    the newest attempt did not, and no other is due; outcome says how
--   settled   needs no build: another ABI's wheel serves it
--   waiting   a lower ABI comes first
-- The newest attempt is the one that was recorded last of those whose results counted. outcome, built_at, duration_ms,
-- log_bytes and report (schema/build.sql) are its own in every state (a delayed one says how it came to be), for built and
-- failed build_id, slave and attempt too. Moments are seconds since 1970. What does not apply is null. Reports come with the
-- newest versions, as long as all attempts at these have 4 MiB of them at most; with one version, always.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.why(p_package text, p_sort_key bytea) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_pkg package;
    v_versions jsonb;
    v_refused jsonb;
BEGIN
    IF coalesce(p_package, '') = '' THEN
        RAISE EXCEPTION 'the package is empty' USING ERRCODE = '22023';
    END IF;
    SELECT * INTO v_pkg FROM package p WHERE p.name = p_package;
    SELECT jsonb_agg(jsonb_build_object('version', v.version, 'yanked', coalesce(v.yank, v.yanked), 'skip', v.skip,
            'why_not', j.why_not, 'checked', s.checked, 
            'builds', _why_builds(v.ver_id, p_sort_key IS NOT NULL OR v.length_so_far <= 4194304)) ORDER BY v.sort_key DESC)
    INTO v_versions
    FROM (
        SELECT o.*, sum((SELECT coalesce(sum(octet_length(b.report::text)), 0) FROM build b WHERE b.ver_id = o.ver_id))
            OVER (ORDER BY o.sort_key DESC) AS length_so_far
        FROM version o WHERE o.pkg_id = v_pkg.pkg_id AND (p_sort_key IS NULL OR o.sort_key = p_sort_key)
    ) AS v
    JOIN vstate s ON s.ver_id = v.ver_id JOIN judgement j ON j.ver_id = v.ver_id;
    SELECT jsonb_agg(jsonb_build_object('specifiers', o.specifiers, 'of', o.of, 'reason', o.refused) ORDER BY o.specifiers)
    INTO v_refused
    FROM (SELECT r.* FROM requirement r WHERE r.name = p_package AND r.refused IS NOT NULL
        ORDER BY r.specifiers LIMIT 100) AS o;
    IF (v_pkg.pkg_id IS NULL AND v_refused IS NULL) OR (v_versions IS NULL AND p_sort_key IS NOT NULL) THEN
        RETURN NULL;
    END IF;
    RETURN jsonb_build_object('package', p_package, 'display', coalesce(v_pkg.display, p_package), 'skip', v_pkg.skip,
        'refused', coalesce(v_refused, '[]'), 'versions', coalesce(v_versions, '[]'))::text;
END
$$;
