-- What the operator decided, each with a reason for people.

-- Settings of the whole farm; views/policies.sql knows the names, the values and what holds where none is set.
CREATE TABLE piw.policy (
    name   text        PRIMARY KEY,
    value  text        NOT NULL,
    reason text        NOT NULL,
    set_at timestamptz NOT NULL
);

-- Names that are never built, those of packages to come too. `*` stands for any characters.
CREATE TABLE piw.block (
    pattern text        COLLATE "C" PRIMARY KEY CHECK (pattern <> ''),
    reason  text        NOT NULL CHECK (reason <> ''),
    set_at  timestamptz NOT NULL
);

-- Packages that are not built for an ABI.
CREATE TABLE piw.skip_abi (
    pkg_id integer     NOT NULL REFERENCES piw.package ON DELETE CASCADE,
    abi_id smallint    NOT NULL REFERENCES piw.abi,
    reason text        NOT NULL CHECK (reason <> ''),
    set_at timestamptz NOT NULL,
    PRIMARY KEY (pkg_id, abi_id)
);
