-- Where piw-initdb puts what it made of the original's texts, a row for each of the original's that arrives.
CREATE TEMPORARY TABLE original_package (
    package text    PRIMARY KEY,
    -- canonical
    name    text    COLLATE "C" NOT NULL,
    skip    boolean NOT NULL
) ON COMMIT DROP;
CREATE TEMPORARY TABLE original_version (
    package    text    NOT NULL,
    version    text    NOT NULL,
    -- as PEP 440 spells it
    canonical  text    COLLATE "C" NOT NULL,
    sort_key   bytea   NOT NULL,
    prerelease boolean NOT NULL,
    skip       boolean NOT NULL
) ON COMMIT DROP;
CREATE TEMPORARY TABLE original_file (
    filename     text   NOT NULL,
    build_id     bigint NOT NULL,
    size         bigint NOT NULL,
    sha256       bytea  NOT NULL,
    python_tag   text   NOT NULL,
    abi_tag      text   NOT NULL,
    platform_tag text   NOT NULL
) ON COMMIT DROP;
-- The original began in 2017; its clock may have been a little ahead of this one.
CREATE TEMPORARY VIEW original_download AS
SELECT d.*, d.accessed_at >= timestamp '2015-01-01' AND d.accessed_at < now() AT TIME ZONE 'UTC' + interval '1 day' AS arrives
FROM public.downloads d;
