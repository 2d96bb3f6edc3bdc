-- Keeps a published file from its project's page, for a reason, or shows it again (null): the audit found its bytes missing
-- or changed, and no page may link to those. Row and name stay, so nothing else takes the name; the version is not built
-- again by this. Returns JSON; an unknown file, or one that stands so already, changes nothing.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.withhold(p_filename text, p_reason text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
DECLARE
    v_pkg integer;
BEGIN
    IF p_filename IS NULL OR btrim(p_reason) = '' THEN
        RAISE EXCEPTION 'a file is withheld for a reason' USING ERRCODE = '22023';
    END IF;
    UPDATE file f SET withheld = p_reason
    WHERE f.filename = p_filename AND (f.withheld IS NULL) <> (p_reason IS NULL)
    RETURNING f.pkg_id INTO v_pkg;
    IF v_pkg IS NOT NULL THEN
        PERFORM _show(v_pkg);
    END IF;
    RETURN jsonb_build_object('filename', p_filename, 'changed', v_pkg IS NOT NULL)::text;
END
$$;
