-- Whether an abi3 wheel for this Python (major * 1000 + minor) and later ones serves an ABI; not free-threaded ones, which
-- have no stable ABI. False where there is no such wheel.
-- Names no table, so that it needs no search path and is expanded in place where it is used.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._abi3_serves(p_from integer, p_abi piw.abi) RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
    SELECT coalesce(p_from <= p_abi.py_major * 1000 + p_abi.py_minor AND p_abi.flags NOT LIKE '%t%', false)
$$;
