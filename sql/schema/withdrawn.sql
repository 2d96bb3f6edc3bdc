-- Names that were published and are withdrawn: they never come back with other bytes. While `pending`, the files are
-- still on the disk: they go when the page that does not name them any more is written.
CREATE TABLE piw.withdrawn (
    filename     text        COLLATE "C" PRIMARY KEY,
    pkg_id       integer     NOT NULL REFERENCES piw.package ON DELETE CASCADE,
    ver_id       integer     NOT NULL REFERENCES piw.version ON DELETE CASCADE,
    sha256       bytea       NOT NULL CHECK (octet_length(sha256) = 32),
    reason       text        NOT NULL,
    withdrawn_at timestamptz NOT NULL,
    pending      boolean     NOT NULL DEFAULT true
);
CREATE INDEX withdrawn_pending ON piw.withdrawn (pkg_id) WHERE pending;
CREATE INDEX withdrawn_version ON piw.withdrawn (ver_id);
