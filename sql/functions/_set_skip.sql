-- What skip() and unskip() do and answer: skips a package, a version or a package on an ABI for this reason, or with null
-- skips it no more.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._set_skip(p_package text, p_sort_key bytea, p_abi text, p_reason text)
RETURNS TABLE (answer text, opened text[], cancelled bigint[], more boolean)
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
DECLARE
    v_pkg package;
    v_version version;
    v_abi smallint;
    v_new boolean := false;
    v_changed boolean;
    v_opened smallint[] := '{}';
    v_cancelled bigint[] := '{}';
    v_why_not text;
BEGIN
    PERFORM _check_names(ARRAY[p_package], ARRAY[p_package], ARRAY['1'], ARRAY['\x01'::bytea]);
    IF p_sort_key IS NOT NULL AND p_abi IS NOT NULL THEN
        RAISE EXCEPTION 'a version is skipped for every ABI or for none; only a whole package can be skipped for one ABI'
            USING ERRCODE = '22023';
    END IF;
    LOCK TABLE abi IN ROW SHARE MODE;
    v_abi := _known_abi(p_abi);
    -- whoever registers a version of it just now is waited for, and waits
    SELECT * INTO v_pkg FROM package p WHERE p.name = p_package FOR UPDATE;
    IF NOT FOUND THEN
        IF p_reason IS NULL OR p_sort_key IS NOT NULL THEN
            RAISE EXCEPTION '% is not known to this farm', p_package USING ERRCODE = '22023';
        END IF;
        PERFORM _register(p_package, p_package);
        SELECT * INTO STRICT v_pkg FROM package p WHERE p.name = p_package FOR UPDATE;
        v_new := true;
    END IF;
    IF p_sort_key IS NOT NULL THEN
        SELECT * INTO v_version FROM version v WHERE v.pkg_id = v_pkg.pkg_id AND v.sort_key = p_sort_key;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'this farm does not know that version of %; ''piw why %'' lists those it knows',
                p_package, p_package USING ERRCODE = '22023';
        END IF;
        UPDATE version v SET skip = p_reason WHERE v.ver_id = v_version.ver_id AND v.skip IS DISTINCT FROM p_reason;
    ELSIF v_abi IS NULL THEN
        UPDATE package p SET skip = p_reason WHERE p.pkg_id = v_pkg.pkg_id AND p.skip IS DISTINCT FROM p_reason;
    ELSIF p_reason IS NULL THEN
        DELETE FROM skip_abi k WHERE k.pkg_id = v_pkg.pkg_id AND k.abi_id = v_abi;
    ELSE
        INSERT INTO skip_abi AS k (pkg_id, abi_id, reason, set_at)
        VALUES (v_pkg.pkg_id, v_abi, p_reason, clock_timestamp())
        ON CONFLICT (pkg_id, abi_id) DO UPDATE SET reason = EXCLUDED.reason, set_at = EXCLUDED.set_at
            WHERE k.reason <> EXCLUDED.reason;
    END IF;
    v_changed := FOUND;
    IF v_changed AND v_version.ver_id IS NOT NULL THEN
        v_opened := _renew_newest(v_pkg.pkg_id) || _judge(v_version.ver_id);
    ELSIF v_changed THEN
        v_opened := _judge_package(v_pkg.pkg_id);
    END IF;
    IF p_reason IS NOT NULL THEN
        SELECT coalesce(array_agg(l.build_id ORDER BY l.build_id), '{}') INTO v_cancelled
        FROM version v JOIN lease l ON l.ver_id = v.ver_id AND l.ended IS NULL
        WHERE v.pkg_id = v_pkg.pkg_id AND v.ver_id = coalesce(v_version.ver_id, v.ver_id)
            AND l.abi_id = coalesce(v_abi, l.abi_id);
    ELSE
        -- of the newest, where nothing of it may be built all the same
        SELECT j.why_not INTO v_why_not FROM version v JOIN judgement j ON j.ver_id = v.ver_id
        WHERE v.pkg_id = v_pkg.pkg_id AND v.ver_id = coalesce(v_version.ver_id, v.ver_id)
        ORDER BY j.why_not IS NOT NULL, v.sort_key DESC LIMIT 1;
    END IF;
    IF v_changed THEN
        PERFORM _order_page(v_pkg.pkg_id);
    END IF;
    RETURN QUERY SELECT
        jsonb_build_object('package', p_package, 'version', v_version.version, 'abi', p_abi, 'reason', p_reason,
            'changed', v_changed, 'registered', v_new, 'cancelled', cardinality(v_cancelled), 'why_not', v_why_not)::text,
        _abi_tags(v_opened), v_cancelled, false;
END
$$;
