-- Counters. Transactions append to stat_delta, because a counter row that all of them update halves their rate; the
-- sweep folds the deltas into stat_total. A counter's value is its total plus its deltas.
--   kind 'build:<outcome>'  n builds, amount milliseconds spent building
--   kind 'day:<day>:<outcome>'  n builds that were recorded on that day (UTC); kept for 60 days
--   kind 'file'             n files, amount bytes
--   kind 'download'         n downloads, amount bytes of those that are published files
-- Numeric, because a sum that does not fit would be met when the deltas are folded: long after what caused it, and
-- again at every attempt.
CREATE TABLE piw.stat_delta (
    kind   text    NOT NULL,
    n      bigint  NOT NULL,
    amount numeric NOT NULL
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);

CREATE TABLE piw.stat_total (
    kind   text    PRIMARY KEY,
    n      numeric NOT NULL,
    amount numeric NOT NULL
);
