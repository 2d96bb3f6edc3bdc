-- A slave came back with a job. The verdict:
--   live      the lease goes on; or it had ended, the job still waits for somebody, and is this slave's again
--   late      the lease ended and the job is no longer to be had; a finished build may still be offered
--   recorded  the result is in the database
--   unknown   no such job was handed out, the secret is wrong, or the version was removed
-- A job whose wheels would have names that are published meanwhile (_build_tag.sql) is late too: what waits is another.
-- Package, version, ABI, attempt and build tag come with live and late. A job that was written off (lost-slave) is late, not
-- recorded: its result is still wanted.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.adopt(p_build bigint, p_secret bytea, p_slave text, p_lease_secs integer)
RETURNS TABLE (verdict text, package text, version text, abi text, attempt smallint, build_tag bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_lease lease;
    v_live boolean;
    v_expiry timestamptz;
BEGIN
    PERFORM _check_token(p_build, p_secret);
    PERFORM _check_lease(p_slave, p_lease_secs);
    LOCK TABLE abi IN ROW SHARE MODE;
    SELECT * INTO v_lease FROM lease l WHERE l.build_id = p_build AND l.secret = p_secret FOR UPDATE;
    IF NOT FOUND THEN
        RETURN QUERY SELECT
            CASE WHEN EXISTS (SELECT FROM build b WHERE b.build_id = p_build AND b.secret = p_secret)
                THEN 'recorded' ELSE 'unknown' END,
            NULL::text, NULL::text, NULL::text, NULL::smallint, NULL::bigint;
        RETURN;
    END IF;
    v_live := v_lease.ended IS NULL;
    IF NOT v_live THEN
        PERFORM FROM vstate s WHERE s.ver_id = v_lease.ver_id FOR NO KEY UPDATE;
        IF v_lease.build_tag >= _build_tag(v_lease.ver_id, v_lease.abi_id) THEN
            DELETE FROM queue q WHERE q.ver_id = v_lease.ver_id AND q.abi_id = v_lease.abi_id;
            v_live := FOUND;
            DELETE FROM delayed d WHERE d.ver_id = v_lease.ver_id AND d.abi_id = v_lease.abi_id;
            v_live := v_live OR FOUND;
        END IF;
    END IF;
    IF v_live THEN
        v_expiry := clock_timestamp() + make_interval(secs => p_lease_secs);
        UPDATE lease l SET ended = NULL, ended_at = NULL, slave = p_slave,
            expires_at = CASE WHEN l.ended IS NULL THEN greatest(l.expires_at, v_expiry) ELSE v_expiry END
        WHERE l.build_id = p_build;
    END IF;
    RETURN QUERY
        SELECT CASE WHEN v_live THEN 'live' ELSE 'late' END, p.name, v.version, a.tag, v_lease.attempt, v_lease.build_tag
        FROM version v JOIN package p ON p.pkg_id = v.pkg_id JOIN abi a ON a.abi_id = v_lease.abi_id
        WHERE v.ver_id = v_lease.ver_id;
END
$$;
