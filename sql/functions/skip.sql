-- Nothing is built any more of a package, of one version of it (p_sort_key), or of a package for one ABI, for this reason.
-- What is published stays; what is being built is to be cancelled (`cancelled`). A package that is not known is
-- registered, so that nothing of it is built when it comes; a version must be known. Skipping again with the same
-- reason changes nothing, but names what is still being built.
-- The answer: {"package", "version", "abi", "reason", "changed", "registered", "cancelled": how many, "why_not": null}.
-- May be called by: the farm's login roles.
CREATE FUNCTION piw.skip(p_package text, p_sort_key bytea, p_abi text, p_reason text)
RETURNS TABLE (answer text, opened text[], cancelled bigint[], more boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = piw, pg_temp
AS $$
BEGIN
    PERFORM _check_reason(p_reason);
    RETURN QUERY SELECT * FROM _set_skip(p_package, p_sort_key, p_abi, p_reason);
END
$$;
