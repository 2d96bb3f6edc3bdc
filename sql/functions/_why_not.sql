-- What speaks against building a version, for people; null when nothing does. vstate.blocked says whether something
-- does, and the audit compares.
-- What an operator said comes first, then what the index says. A version that the operator's people asked for by its
-- number (==) is built although it is yanked; one that is asked for is built although it is a pre-release.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._why_not(p_ver integer) RETURNS text
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    SELECT CASE
        WHEN p.skip IS NOT NULL THEN 'the package is skipped: ' || p.skip
        WHEN v.skip IS NOT NULL THEN 'skipped: ' || v.skip
        WHEN b.reason IS NOT NULL THEN 'the name is blocked: ' || b.reason
        WHEN p.removed_at IS NOT NULL THEN 'the index has removed the project'
        WHEN p.status = 'quarantined' THEN
            'the index has put the project under quarantine' || coalesce(': ' || nullif(p.status_reason, ''), '')
        WHEN v.removed_at IS NOT NULL THEN 'the index has removed the release'
        WHEN p.missing_since IS NOT NULL THEN 'the index has no page of the project; it is asked again'
        WHEN NOT v.sdist THEN 'the index has no source distribution of it'
        WHEN v.yanked IS NOT NULL AND NOT v.named THEN 'yanked' || coalesce(': ' || nullif(v.yanked, ''), '')
        WHEN v.pure IS NOT NULL AND _policy('wheels') <> 'none' THEN
            'the index has a wheel for every Python and platform: ' || v.pure
        WHEN v.prerelease AND s.asked IS NULL AND _policy('prereleases') = 'skip'
            AND NOT coalesce(n.prerelease, true) THEN 'pre-releases are not built'
    END
    FROM vstate s
    JOIN version v ON v.ver_id = s.ver_id
    JOIN package p ON p.pkg_id = v.pkg_id
    LEFT JOIN version n ON n.ver_id = p.newest
    CROSS JOIN LATERAL (SELECT _blocked_by(p.name) AS reason) AS b
    WHERE s.ver_id = p_ver
$$;
