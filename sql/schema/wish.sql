-- What people asked for, beyond the versions that it came to.

-- What somebody asked for. New releases that fit one are built without being asked for again.
CREATE TABLE piw.wish (
    pkg_id     integer     NOT NULL REFERENCES piw.package ON DELETE CASCADE,
    -- PEP 440; empty for any version.
    specifiers text        COLLATE "C" NOT NULL,
    asked_at   timestamptz NOT NULL,
    -- The requirements of what is built are wanted too.
    deps       boolean     NOT NULL,
    PRIMARY KEY (pkg_id, specifiers)
);

-- Requirements of what was built for somebody who wanted them too: each is looked up on the index once, and kept for a day
-- after that, so that packages that require each other come to an end.
CREATE TABLE piw.requirement (
    req_id     bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name       text        COLLATE "C" NOT NULL CHECK (name <> ''),
    specifiers text        COLLATE "C" NOT NULL,
    -- Canonical (PEP 685) and in order, with spaces between.
    extras     text        COLLATE "C" NOT NULL,
    -- Whose requirement it is, for people.
    of         text        NOT NULL,
    -- When it is to be looked at; later after a look that failed.
    due        timestamptz NOT NULL,
    fails      smallint    NOT NULL DEFAULT 0,
    -- Why it cannot be met: it is kept for people, and not looked at again.
    refused    text,
    met_at     timestamptz,
    UNIQUE (name, specifiers, extras)
);
CREATE INDEX requirement_due ON piw.requirement (due) WHERE refused IS NULL AND met_at IS NULL;

-- Versions whose requirements are to be worked out: markers are evaluated by the master.
CREATE TABLE piw.deps_due (
    ver_id integer PRIMARY KEY REFERENCES piw.version ON DELETE CASCADE,
    -- Another one whenever there is more to it: what was worked out before then is not all.
    turn   bigint  GENERATED ALWAYS AS IDENTITY
);

-- Extras of a version (PEP 508) whose requirements are wanted too.
CREATE TABLE piw.wanted_extra (
    ver_id integer NOT NULL REFERENCES piw.version ON DELETE CASCADE,
    extra  text    COLLATE "C" NOT NULL,
    PRIMARY KEY (ver_id, extra)
);
