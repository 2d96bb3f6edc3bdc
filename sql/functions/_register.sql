-- A package's row, made where there is none, with the spelling that was last seen; a changed spelling orders the page.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._register(p_name text, p_display text) RETURNS piw.package
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
DECLARE
    v_pkg package;
BEGIN
    SELECT * INTO v_pkg FROM package p WHERE p.name = p_name;
    IF FOUND AND v_pkg.display = p_display THEN
        RETURN v_pkg;
    END IF;
    INSERT INTO package (name, display) VALUES (p_name, p_display) ON CONFLICT (name) DO NOTHING RETURNING * INTO v_pkg;
    IF FOUND THEN
        INSERT INTO stat_delta (kind, n, amount) VALUES ('package', 1, 0);
        RETURN v_pkg;
    END IF;
    UPDATE package p SET display = p_display WHERE p.name = p_name RETURNING * INTO STRICT v_pkg;
    PERFORM _order_page(v_pkg.pkg_id);
    RETURN v_pkg;
END
$$;
