-- What was fetched from the web server, as its log says (functions/log_downloads.sql).

-- One row for each fetched file. Rows outlive the package: no foreign keys. A partition for each month (UTC), such as
-- download_2026_01, is made when the first row of the month comes and goes with drop_downloads.
CREATE TABLE piw.download (
    filename           text        COLLATE "C" NOT NULL CHECK (filename <> ''),
    -- Null when it was of no package on the list.
    pkg_id             integer,
    at                 timestamptz NOT NULL,
    address            inet,
    -- What the client said of itself; null where it did not.
    arch               text,
    distro_name        text,
    distro_version     text,
    os_name            text,
    os_version         text,
    py_name            text,
    py_version         text,
    installer_name     text,
    installer_version  text,
    setuptools_version text
) PARTITION BY RANGE (at);
CREATE INDEX download_at ON piw.download USING brin (at);
CREATE INDEX download_file ON piw.download (filename);

-- How often files of a package were fetched on a day (UTC): what priorities and pages ask, and what stays when the rows
-- of `download` are dropped. No foreign key, for the same reason. Room in the pages keeps the updates in place.
CREATE TABLE piw.download_day (
    day    date    NOT NULL,
    -- 0 for all that was fetched on the day, what was of no package on the list included.
    pkg_id integer NOT NULL,
    n      bigint  NOT NULL CHECK (n > 0),
    PRIMARY KEY (day, pkg_id)
) WITH (fillfactor = 80);
CREATE INDEX download_day_package ON piw.download_day (pkg_id, day);

-- Batches of the last day: one that comes again, because its answer was lost, is answered and not counted.
CREATE TABLE piw.download_batch (
    batch   bytea       PRIMARY KEY CHECK (octet_length(batch) = 16),
    at      timestamptz NOT NULL,
    stored  integer     NOT NULL,
    unknown integer     NOT NULL,
    outside integer     NOT NULL
);
CREATE INDEX download_batch_age ON piw.download_batch (at);

-- How far the daily look at the downloads is (functions/roll_popularity.sql). One row.
CREATE TABLE piw.popularity (
    id       smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    -- The day on which it began; null before the first.
    day      date,
    -- The package that was looked at last; null when that day's look is done.
    last_pkg integer
);
INSERT INTO piw.popularity DEFAULT VALUES;
