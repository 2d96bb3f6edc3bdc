-- The value of a policy; what holds where the operator set none. Null for a name that is none.
--   wheels       which of the index's own wheels settle a version, so that nothing of the index is shadowed:
--                'pure' one for every Python and platform (the default), 'any' those for an ABI and its platforms too,
--                'none'
--   prereleases  'last' after everything else (the default), 'skip'; where a package has nothing else, they count as
--                final releases
--   cooldown     seconds between the upload of a version and its first hand-out; 0 (the default) to 2,592,000
-- May be called by: functions of this schema.
CREATE FUNCTION piw._policy(p_name text) RETURNS text
LANGUAGE sql STABLE SET search_path = piw, pg_temp
AS $$
    SELECT coalesce((SELECT o.value FROM policy o WHERE o.name = p_name),
        CASE p_name WHEN 'wheels' THEN 'pure' WHEN 'prereleases' THEN 'last' WHEN 'cooldown' THEN '0' END)
$$;
