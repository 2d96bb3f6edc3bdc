-- Counters. Transactions append to stat_delta, because a counter row that all of them update halves their rate; the
-- sweep folds the deltas into stat_total. A counter's value is its total plus its deltas.
--   kind 'build:<outcome>'  n builds, amount milliseconds spent building
--   kind 'file'             n files, amount bytes
CREATE TABLE piw.stat_delta (
    kind   text   NOT NULL,
    n      bigint NOT NULL,
    amount bigint NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE TABLE piw.stat_total (
    kind   text   PRIMARY KEY,
    n      bigint NOT NULL,
    amount bigint NOT NULL
);
