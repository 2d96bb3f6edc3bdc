-- Works a version's state out anew from its builds and files, and brings its open rows in line.
-- The caller holds ROW SHARE on abi.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._mend_version(p_ver integer) RETURNS void
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
BEGIN
    PERFORM FROM lease l WHERE l.ver_id = p_ver ORDER BY l.build_id FOR UPDATE;
    PERFORM FROM vstate s WHERE s.ver_id = p_ver FOR NO KEY UPDATE;
    -- a lease whose result is in has ended
    UPDATE lease l SET ended = 'superseded', ended_at = clock_timestamp()
    WHERE l.ver_id = p_ver AND l.ended IS NULL AND EXISTS (SELECT FROM build b WHERE b.build_id = l.build_id);
    UPDATE vstate s SET done = _done(p_ver), covered = c.covered, abi3_from = c.abi3_from
    FROM _coverage(p_ver) AS c WHERE s.ver_id = p_ver;
    -- one open row at most: that of the lowest ABI; none where a slave has it
    DELETE FROM queue q WHERE q.ver_id = p_ver
        AND (EXISTS (SELECT FROM lease l WHERE l.ver_id = p_ver AND l.ended IS NULL)
            OR EXISTS (SELECT FROM delayed d WHERE d.ver_id = p_ver)
            OR q.abi_id <> (SELECT o.abi_id FROM queue o JOIN abi a USING (abi_id) WHERE o.ver_id = p_ver
                ORDER BY a.rank LIMIT 1));
    PERFORM _judge(p_ver);
END
$$;
