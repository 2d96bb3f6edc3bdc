-- Walks over all versions that a change of an ABI or of a policy asks for, in the order of their numbers, a few
-- thousand in each transaction. The cursor moves in the same transaction, so that a walk goes on after a crash.
--   open   versions that have nothing open: an ABI was added
--   judge  every version: a policy changed
CREATE TABLE piw.walk (
    kind     text    PRIMARY KEY CHECK (kind IN ('open', 'judge')),
    next_ver integer NOT NULL
);
