//! What the pages say that no option says: exit codes, files, variables, examples for scripts.

/// Of one program.
pub(crate) struct Words {
    /// Of the manual: 1 for tools, 8 for what runs a farm.
    pub(crate) section: &'static str,
    /// Exit codes.
    pub(crate) exit: &'static [(&'static str, &'static str)],
    /// Files beside those of the configuration.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// Variables beside those of the options.
    pub(crate) variables: &'static [(&'static str, &'static str)],
    /// What for, and how.
    pub(crate) examples: &'static [(&'static str, &'static str)],
    /// Other pages.
    pub(crate) also: &'static [(&'static str, &'static str)],
}

const ALL: &[(&str, &str)] = &[
    ("piw", "1"),
    ("piw-import", "1"),
    ("piw-initdb", "8"),
    ("piw-logger", "8"),
    ("piw-master", "8"),
    ("piw-monitor", "1"),
    ("piw-remove", "1"),
    ("piw-slave", "8"),
];

const USAGE: (&str, &str) = ("2", "the options or the configuration are no good; nothing was done");
const LOG: (&str, &str) = ("PIW_LOG", "which lines are logged, as env_logger has it");
const DATABASE: (&str, &str) =
    ("PGHOST, PGPORT, PGUSER, PGPASSWORD, PGDATABASE", "what the DSN leaves open, as libpq has it");
const SOCKETS: (&str, &str) =
    ("/tmp/piw-import, /tmp/piw-status, /tmp/piw-control", "where the master listens, unless told otherwise");

/// The words about a program.
pub(crate) fn of(program: &str) -> Words {
    match program {
        "piw-master" => Words {
            section: "8",
            exit: &[("0", "it ended as it was told"), ("1", "it could not start, or could not go on"), USAGE],
            files: &[
                ("/var/www", "the web site, unless --output-path names another place"),
                ("/var/www.spool", "unfinished files, on the same file system"),
                ("/var/www.keys", "the keys of slaves, mode 0600"),
                SOCKETS,
            ],
            variables: &[DATABASE, LOG],
            examples: &[
                (
                    "A master for slaves on other machines, each with a key:",
                    "piw-master --add-slave pi-1 >pi-1.key\npiw-master -d postgres:///piwheels -o /srv/www -v",
                ),
                (
                    "What it would run with, for a script:",
                    "piw-master -c farm.conf --print-config | sed -n 's/^output-path = //p'",
                ),
            ],
            also: ALL,
        },
        "piw-slave" => Words {
            section: "8",
            exit: &[
                ("0", "it was stopped, or sent away; --check: it can build; --build: it was built"),
                ("1", "it cannot build here, was refused, or something failed"),
                ("2", "the options, the configuration, the directory or the interpreter are no good"),
            ],
            files: &[("the file of --key-file", "this slave's key, mode 0600")],
            variables: &[
                ("TMPDIR", "where it builds, unless --dir says so"),
                ("NOTIFY_SOCKET", "where a service manager is told"),
            ],
            examples: &[
                ("Whether a board can build, and what its walls are:", "piw-slave --check"),
                (
                    "A slave of the master on another machine:",
                    "piw-slave -m 10.0.0.1 --key-file pi-1.key --dir /var/lib/piw",
                ),
                (
                    "One build without a master; its report is JSON:",
                    "piw-slave --build markupsafe==2.1.5 --out wheels >report.json",
                ),
            ],
            also: ALL,
        },
        "piw-monitor" => Words {
            section: "1",
            exit: &[
                ("0", "it was ended"),
                ("1", "there is no master, it hangs, or the terminal is gone"),
                USAGE,
            ],
            files: &[SOCKETS],
            variables: &[LOG, ("TERM, LC_ALL, LC_CTYPE, LANG, NO_COLOR", "what the terminal can show")],
            examples: &[
                ("The farm now, as one object:", "piw-monitor --once --json --timeout 10s | jq .slaves"),
                ("A line for each change, for ever:", "piw-monitor --json"),
            ],
            also: ALL,
        },
        "piw-initdb" => Words {
            section: "8",
            exit: &[
                ("0", "the tables are there, and current"),
                ("1", "it failed; nothing was changed"),
                ("2", "somebody said no, or the options are no good; nothing was changed"),
            ],
            files: &[],
            variables: &[DATABASE, LOG],
            examples: &[(
                "In a script, as the superuser of the database:",
                "sudo -u postgres piw-initdb -y -d postgres:///piwheels -u piwheels",
            )],
            also: ALL,
        },
        "piw-import" => Words {
            section: "1",
            exit: &[
                ("0", "all was published, or was already"),
                ("1", "something was not: no master, one that hangs, or it refused a file"),
                ("2", "somebody said no, or the options are no good"),
            ],
            files: &[SOCKETS],
            variables: &[LOG],
            examples: &[
                (
                    "One build, and its log:",
                    "piw-import -y --output build.log foo-1.0-cp311-cp311-linux_armv7l.whl",
                ),
                (
                    "Every wheel below a directory, with a line of JSON for each:",
                    "find . -name '*.whl' -print0 | piw-import -y -0 --keep-going --json - >imported.jsonl",
                ),
            ],
            also: ALL,
        },
        "piw-remove" => Words {
            section: "1",
            exit: &[
                ("0", "all is as was asked for"),
                ("1", "something is not: no master, one that hangs, or nothing of that name"),
                ("2", "somebody said no, or the options are no good"),
            ],
            files: &[SOCKETS],
            variables: &[LOG],
            examples: &[(
                "A version that must not come back, without a question:",
                "piw-remove -y -s --reason 'withdrawn by its author' foo 1.0",
            )],
            also: ALL,
        },
        "piw-logger" => Words {
            section: "8",
            exit: &[("0", "everything was sent"), ("1", "something was not"), USAGE],
            files: &[SOCKETS],
            variables: &[LOG],
            examples: &[
                (
                    "In Apache's configuration:",
                    "CustomLog \"|/usr/local/bin/piw-logger --format combined\" combined",
                ),
                ("Old logs, once:", "piw-logger /var/log/apache2/access.log.*.gz"),
            ],
            also: ALL,
        },
        _ => Words {
            section: "1",
            exit: &[
                ("0", "it was done"),
                (
                    "1",
                    "it was not: there is no master, it hangs, it refused, or 'piw audit' found differences that stay",
                ),
                ("2", "somebody said no, or the options are no good"),
            ],
            files: &[SOCKETS],
            variables: &[LOG],
            examples: &[
                (
                    "Packages, and what becomes of them:",
                    "piw add -r requirements.txt\npiw why --json six | jq",
                ),
                (
                    "A health check that never hangs:",
                    "piw --timeout 5s stats --json >/dev/null || echo 'the master is gone'",
                ),
            ],
            also: ALL,
        },
    }
}

/// The words about a verb of `piw`, or of one of its verbs.
pub(crate) fn of_verb(above: &str) -> Words {
    let words = of("piw");
    match above {
        "piw" | "piw-abi" => words,
        _ => Words { examples: &[], ..words },
    }
}
