-- The tables of the original program at its version 0.10, as far as its rows go: columns, types, keys and checks.
CREATE TABLE public.configuration (
    id          integer     PRIMARY KEY DEFAULT 1,
    version     varchar(16) NOT NULL DEFAULT '0.10',
    pypi_serial bigint      NOT NULL DEFAULT 0
);
CREATE TABLE public.packages (
    package varchar(200) PRIMARY KEY,
    skip    boolean      NOT NULL DEFAULT false
);
CREATE TABLE public.versions (
    package varchar(200) NOT NULL REFERENCES public.packages ON DELETE RESTRICT,
    version varchar(200) NOT NULL,
    skip    boolean      NOT NULL DEFAULT false,
    PRIMARY KEY (package, version)
);
CREATE INDEX versions_package ON public.versions (package);
CREATE INDEX versions_skip ON public.versions (skip, package);
CREATE TABLE public.build_abis (
    abi_tag varchar(100) PRIMARY KEY CHECK (abi_tag <> 'none')
);
CREATE TABLE public.builds (
    build_id serial       PRIMARY KEY,
    package  varchar(200) NOT NULL,
    version  varchar(200) NOT NULL,
    built_by integer      NOT NULL CHECK (built_by >= 0),
    built_at timestamp    NOT NULL DEFAULT (now() AT TIME ZONE 'UTC'),
    duration interval     NOT NULL,
    status   boolean      NOT NULL DEFAULT true,
    abi_tag  varchar(100) NOT NULL,
    FOREIGN KEY (package, version) REFERENCES public.versions ON DELETE CASCADE,
    UNIQUE (package, version, built_at, built_by)
);
CREATE TABLE public.output (
    build_id integer PRIMARY KEY REFERENCES public.builds ON DELETE CASCADE,
    output   text    NOT NULL
);
CREATE TABLE public.files (
    filename            varchar(255) PRIMARY KEY,
    build_id            integer      NOT NULL REFERENCES public.builds ON DELETE CASCADE,
    filesize            integer      NOT NULL,
    filehash            char(64)     NOT NULL,
    package_tag         varchar(200) NOT NULL,
    package_version_tag varchar(200) NOT NULL,
    py_version_tag      varchar(100) NOT NULL,
    abi_tag             varchar(100) NOT NULL,
    platform_tag        varchar(100) NOT NULL
);
CREATE INDEX files_build ON public.files (build_id);
CREATE TABLE public.downloads (
    filename       varchar(255) NOT NULL REFERENCES public.files ON DELETE CASCADE,
    accessed_by    inet         NOT NULL,
    accessed_at    timestamp    NOT NULL,
    arch           varchar(100),
    distro_name    varchar(100),
    distro_version varchar(100),
    os_name        varchar(100),
    os_version     varchar(100),
    py_name        varchar(100),
    py_version     varchar(100)
);
CREATE INDEX downloads_time ON public.downloads (accessed_at DESC);
CREATE VIEW public.statistics AS SELECT count(*) AS packages_count FROM public.packages WHERE NOT skip;
