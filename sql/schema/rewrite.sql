-- Pages that are due for writing: rows, so that a crash loses none. Orders for one page are merged.
CREATE SEQUENCE piw.rewrite_order_seq AS bigint;

CREATE TABLE piw.rewrite (
    kind       text        NOT NULL CHECK (kind IN ('project', 'root', 'home')),
    -- 0 for the root and the home page, which is why there is no foreign key: rewrites_due drops the orders of deleted
    -- packages.
    pkg_id     integer     NOT NULL CHECK ((kind = 'project') = (pkg_id <> 0)),
    -- The newest order; unique over all pages and growing for each.
    ordered    bigint      NOT NULL DEFAULT nextval('piw.rewrite_order_seq'),
    -- Its place in the line: the moment of the oldest order that is not written yet, so that a page that is ordered again
    -- and again keeps its turn, or of the last failure to write it.
    ordered_at timestamptz NOT NULL,
    -- One of very many that an operator ordered at once: it must not hold up the others.
    bulk       boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (kind, pkg_id)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);
ALTER SEQUENCE piw.rewrite_order_seq OWNED BY piw.rewrite.ordered;
CREATE INDEX rewrite_age ON piw.rewrite (bulk, ordered_at, kind, pkg_id);
