-- Whether an attempt that ended so settles its ABI. What another attempt may mend does not, until so many attempts were
-- made in all, whatever ended the others:
--   5  the slave, its transfer, its network or its disk was at fault: the next is seldom so too
--   6  the index did not have the new release's files yet, which takes it hours sometimes
--   2  the build took what its board has, time, memory or disk: attempts cost hours, and the next board seldom has much
--      more
-- The slave's other limits (log, wheel, processes) are far above what a build needs: it would meet them again.
-- How a build ended is partly judged by what it printed (wire-spec/slave.md): these numbers bound what that can cost.
-- With attempt 1, whether an outcome is the board's and the moment's (false) or the version's own (true).
-- Names no table, so that it needs no search path and is expanded in place: the audit asks it of every build.
-- May be called by: functions of this schema.
CREATE FUNCTION piw._settles(p_outcome text, p_attempt smallint) RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
    SELECT CASE p_outcome
        WHEN 'lost-slave' THEN p_attempt >= 5
        WHEN 'lost-transfer' THEN p_attempt >= 5
        WHEN 'network' THEN p_attempt >= 5
        WHEN 'disk' THEN p_attempt >= 5
        WHEN 'upload-race' THEN p_attempt >= 6
        WHEN 'timeout' THEN p_attempt >= 2
        WHEN 'silence' THEN p_attempt >= 2
        WHEN 'out-of-memory' THEN p_attempt >= 2
        WHEN 'disk-limit' THEN p_attempt >= 2
        WHEN 'superseded' THEN false
        ELSE p_outcome IS NOT NULL
    END
$$;
