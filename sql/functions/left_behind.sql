-- A build brought files of these names into place and is not recorded with them: another's result came first, the version was
-- removed, the name may not come back. What of them was withdrawn is on the disk once more: it goes again, with the next writing of
-- its project's page. Any other is swept by the audit.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.left_behind(p_filenames text[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_pages integer[];
BEGIN
    IF p_filenames IS NULL OR cardinality(p_filenames) > 1000 OR array_position(p_filenames, NULL) IS NOT NULL THEN
        RAISE EXCEPTION 'not up to 1,000 names of files' USING ERRCODE = '22023';
    END IF;
    WITH again AS (
        UPDATE withdrawn w SET pending = true WHERE w.filename = ANY (p_filenames) AND NOT w.pending RETURNING w.pkg_id
    )
    SELECT array_agg(a.pkg_id) INTO v_pages FROM again a;
    PERFORM _order_pages(v_pages) WHERE v_pages IS NOT NULL;
END
$$;
