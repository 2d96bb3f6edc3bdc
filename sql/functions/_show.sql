-- Brings package.published in line with what may be shown: a package that has files which are
-- not withheld, unless the index has it under quarantine. Orders its page, and the root's where the project appears there
-- or goes.
-- May be called by: functions of this schema; last in a transaction, because the root is one row for all.
CREATE FUNCTION piw._show(p_pkg integer) RETURNS void
LANGUAGE plpgsql SET search_path = piw, pg_temp
AS $$
DECLARE
    v_shown boolean;
BEGIN
    UPDATE package p SET published = NOT p.published
    WHERE p.pkg_id = p_pkg
        AND p.published <> (p.status <> 'quarantined' AND EXISTS (
            SELECT FROM file f WHERE f.pkg_id = p_pkg AND f.withheld IS NULL))
    RETURNING p.published INTO v_shown;
    PERFORM _order_page(p_pkg);
    IF v_shown IS NOT NULL THEN
        INSERT INTO stat_delta (kind, n, amount) VALUES ('published', CASE WHEN v_shown THEN 1 ELSE -1 END, 0);
        PERFORM _order_page(0);
    END IF;
END
$$;
