-- The database's own version. One row; piw-initdb alone writes it.
CREATE TABLE piw.meta (
    id             smallint    PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    schema_version integer     NOT NULL CHECK (schema_version >= 0),
    changed_at     timestamptz NOT NULL DEFAULT now()
);
