-- Takes recorded attempts as never made, and queues what is to be built then: of a package, of one version of it
-- (p_sort_key), for an ABI, with an outcome; null for any that made no wheel, but not for all of them. What waits for
-- another attempt comes at once, if no outcome is named. What a slave is at is never touched; what a wheel serves only with
-- the outcome `built` and a package: its files stay published, and the new ones get a build tag (_build_tag.sql).
-- In pieces: of versions with larger numbers than p_after, at most 500, after looking at 50,000 attempts at most. With
-- `more` the same order is to be given again with the answer's "next" for p_after.
-- The answer, of one piece: {"changed", "versions": something of which is to be made again, "attempts": taken as never made,
-- "queued": versions that wait now, "not_queued": versions that do not, "reasons": why, for at most 100 of them
-- [{"package", "version", "reason"}], "built", "building": with the first piece, where a package is named: versions of
-- those asked for that wheels serve and that are left alone, and that slaves are at; "next": or null}.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.requeue(p_package text, p_sort_key bytea, p_abi text, p_outcome text, p_after integer)
RETURNS TABLE (answer text, opened text[], cancelled bigint[], more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    c_versions CONSTANT integer := 500;
    c_attempts CONSTANT integer := 50000;
    v_outcomes text[] := _requeue_outcomes(p_outcome);
    v_abi smallint;
    v_pkg integer;
    v_of integer[];
    v_vers integer[];
    v_end integer;
    v_looked integer;
    v_pair record;
    v_done record;
    v_opened smallint[] := '{}';
    v_versions integer := 0;
    v_attempts integer := 0;
    v_queued integer := 0;
    v_reasons jsonb := '[]';
    v_built bigint := 0;
    v_building bigint := 0;
    v_pages integer[] := '{}';
BEGIN
    IF num_nonnulls(p_package, p_abi, p_outcome) = 0 THEN
        RAISE EXCEPTION 'a package, an ABI or an outcome is wanted' USING ERRCODE = '22023';
    ELSIF p_package IS NULL AND p_sort_key IS NOT NULL THEN
        RAISE EXCEPTION 'a version without its package' USING ERRCODE = '22023';
    ELSIF p_package IS NULL AND p_outcome = 'built' THEN
        RAISE EXCEPTION 'what was built is built again package by package: name one' USING ERRCODE = '22023';
    ELSIF p_after IS NULL OR p_after < 0 THEN
        RAISE EXCEPTION 'a piece begins behind a version''s number' USING ERRCODE = '22023';
    END IF;
    LOCK TABLE abi IN ROW SHARE MODE;
    v_abi := _known_abi(p_abi);
    IF p_package IS NOT NULL THEN
        SELECT p.pkg_id INTO v_pkg FROM package p WHERE p.name = p_package;
        v_of := ARRAY(SELECT v.ver_id FROM version v
            WHERE v.pkg_id = v_pkg AND v.sort_key = coalesce(p_sort_key, v.sort_key));
        IF v_pkg IS NULL THEN
            RAISE EXCEPTION '% is not known to this farm', p_package USING ERRCODE = '22023';
        ELSIF v_of = '{}' AND p_sort_key IS NOT NULL THEN
            RAISE EXCEPTION 'this farm does not know that version of %; ''piw why %'' lists those it knows',
                p_package, p_package USING ERRCODE = '22023';
        END IF;
        IF p_after = 0 THEN
            SELECT count(*) FILTER (WHERE p_outcome IS DISTINCT FROM 'built' AND (s.covered OR EXISTS (SELECT FROM build b
                    WHERE b.ver_id = s.ver_id AND b.abi_id = coalesce(v_abi, b.abi_id)
                        AND b.outcome = 'built' AND NOT b.void))),
                count(*) FILTER (WHERE EXISTS (SELECT FROM lease l WHERE l.ver_id = s.ver_id
                    AND l.abi_id = coalesce(v_abi, l.abi_id) AND l.ended IS NULL))
            INTO v_built, v_building FROM vstate s WHERE s.ver_id = ANY (v_of);
        END IF;
        v_end := 2147483647;
        v_vers := ARRAY(SELECT o.ver_id FROM unnest(v_of) AS o(ver_id) WHERE o.ver_id > p_after
            ORDER BY o.ver_id LIMIT c_versions);
    ELSE
        SELECT max(o.ver_id), count(*) INTO v_end, v_looked
        FROM (SELECT b.ver_id FROM build b WHERE b.ver_id > p_after ORDER BY b.ver_id LIMIT c_attempts) AS o;
        IF v_looked < c_attempts THEN
            v_end := 2147483647;
        END IF;
        v_vers := ARRAY(
            SELECT b.ver_id FROM build b
            WHERE b.ver_id > p_after AND b.ver_id <= v_end AND NOT b.void AND b.outcome = ANY (v_outcomes)
                AND b.abi_id = coalesce(v_abi, b.abi_id)
            UNION
            SELECT d.ver_id FROM delayed d
            WHERE p_outcome IS NULL AND d.ver_id > p_after AND d.ver_id <= v_end AND d.why = 'retry'
                AND d.abi_id = coalesce(v_abi, d.abi_id)
            ORDER BY 1 LIMIT c_versions);
    END IF;
    IF cardinality(v_vers) >= c_versions THEN
        v_end := v_vers[c_versions];
    END IF;
    FOR v_pair IN SELECT o.ver_id, o.abis FROM _requeue_pairs(v_vers, v_abi, v_outcomes, p_outcome IS NULL) AS o LOOP
        SELECT * INTO v_done FROM _requeue_version(v_pair.ver_id, v_pair.abis, v_outcomes);
        v_opened := v_opened || v_done.opened;
        v_pages := v_pages || (SELECT v.pkg_id FROM version v WHERE v.ver_id = v_pair.ver_id);
        v_versions := v_versions + 1;
        v_attempts := v_attempts + v_done.attempts;
        IF v_done.why_not IS NULL THEN
            v_queued := v_queued + 1;
        ELSIF jsonb_array_length(v_reasons) < 100 THEN
            v_reasons := v_reasons || (SELECT jsonb_build_object('package', p.name, 'version', v.version,
                'reason', v_done.why_not)
                FROM version v JOIN package p ON p.pkg_id = v.pkg_id WHERE v.ver_id = v_pair.ver_id);
        END IF;
    END LOOP;
    PERFORM _order_pages(v_pages);
    RETURN QUERY SELECT
        jsonb_build_object('changed', v_versions > 0, 'versions', v_versions, 'attempts', v_attempts, 'queued', v_queued,
            'not_queued', v_versions - v_queued, 'reasons', v_reasons, 'built', v_built, 'building', v_building,
            'next', nullif(v_end, 2147483647))::text,
        _abi_tags(v_opened), '{}'::bigint[], v_end < 2147483647;
END
$$;
