-- Judges the versions of the packages that a pattern of names (table block) means, because it was set or taken back: at
-- once, or by a walk where they are more than 1,000, save those that are being built; the pages with them. Returns the ABIs whose queues got
-- something, and whether there is a walk for it.
-- The caller holds EXCLUSIVE on abi, so that nobody judges by what was before.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._judge_names(p_pattern text, OUT opened smallint[], OUT walks boolean)
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
DECLARE
    v_vers integer[];
    v_ver integer;
BEGIN
    opened := '{}';
    v_vers := ARRAY(SELECT v.ver_id FROM package p JOIN version v ON v.pkg_id = p.pkg_id
        WHERE p.name LIKE _like(p_pattern) LIMIT 1001);
    walks := cardinality(v_vers) > 1000;
    IF walks THEN
        INSERT INTO walk (kind, next_ver) VALUES ('judge', 0) ON CONFLICT (kind) DO UPDATE SET next_ver = 0;
        v_vers := ARRAY(SELECT l.ver_id FROM lease l JOIN version v ON v.ver_id = l.ver_id
            JOIN package p ON p.pkg_id = v.pkg_id
            WHERE l.ended IS NULL AND p.name LIKE _like(p_pattern));
    END IF;
    FOR v_ver IN SELECT o.ver_id FROM unnest(v_vers) AS o(ver_id) ORDER BY o.ver_id LOOP
        opened := opened || _judge(v_ver);
    END LOOP;
    opened := array_remove(opened, NULL);
    PERFORM _order_pages(ARRAY(SELECT v.pkg_id FROM version v WHERE v.ver_id = ANY (v_vers)));
END
$$;
