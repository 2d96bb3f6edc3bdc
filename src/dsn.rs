//! Which database to use: takes a DSN as libpq does, with the same defaults from the environment, and makes the
//! connection's settings of it. Opens no connection. Without TLS: the database is meant to be on the same machine, or
//! behind a tunnel.

use std::fmt;
use std::path::{Path, PathBuf};

use postgres::config::{Config, SslMode};

/// The database unless another is named (manual 2.2, 5.2).
pub const STANDARD: &str = "postgres:///piwheels";

/// Where the Unix socket is looked for when neither the DSN nor PGHOST names a host: where distributions have it, and
/// where PostgreSQL's own build puts it.
const SOCKET_DIRS: [&str; 2] = ["/var/run/postgresql", "/tmp"];

/// The port when neither the DSN nor PGPORT names one.
const DEFAULT_PORT: u16 = 5432;

/// Why a text is not a DSN to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadDsn(String);

impl fmt::Display for BadDsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadDsn {}

/// The settings for `dsn`, an URL (`postgres:///piwheels`, `postgres://user@host:5433/db?host=/socket/dir`) or
/// keywords (`dbname=piwheels host=/socket/dir`). What it leaves open comes from PGHOST, PGPORT, PGUSER, PGPASSWORD and
/// PGDATABASE, then from the operating system: the account's name, and the first Unix socket that is there.
pub fn parse(dsn: &str) -> Result<Config, BadDsn> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let account = || nix::unistd::User::from_uid(nix::unistd::geteuid()).ok().flatten().map(|user| user.name);
    parse_in(dsn, &variable, &account, &Path::exists)
}

/// What a connection is called in messages: database, place and user, without the password.
pub fn describe(config: &Config) -> String {
    let hosts: Vec<String> = config
        .get_hosts()
        .iter()
        .map(|host| match host {
            postgres::config::Host::Tcp(name) => name.clone(),
            postgres::config::Host::Unix(dir) => dir.display().to_string(),
        })
        .collect();
    let ports: Vec<String> = config.get_ports().iter().map(u16::to_string).collect();
    format!(
        "database {} at {} (port {}) as user {}",
        config.get_dbname().unwrap_or("?"),
        hosts.join(","),
        ports.join(","),
        config.get_user().unwrap_or("?"),
    )
}

/// [`parse`], with the environment, the account and the file system as arguments.
pub(crate) fn parse_in(
    dsn: &str,
    variable: &dyn Fn(&str) -> Option<String>,
    account: &dyn Fn() -> Option<String>,
    exists: &dyn Fn(&Path) -> bool,
) -> Result<Config, BadDsn> {
    // The text itself stays out of messages: it may hold a password.
    let bad = |what: String| BadDsn(format!("the DSN cannot be used: {what}"));
    if dsn.trim().is_empty() {
        return Err(bad("it is empty (example: postgres:///piwheels)".to_owned()));
    }
    let mut config: Config = dsn.trim().parse().map_err(|error: postgres::Error| {
        let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
        // it may quote a piece of the text, and is to be one line
        let cause = cause.replace(char::is_control, "?");
        bad(format!("{cause} (examples: postgres:///piwheels, dbname=piwheels host=/run/postgresql)"))
    })?;
    if config.get_ssl_mode() == SslMode::Require {
        return Err(bad(
            "sslmode=require, but TLS is not supported; use a Unix socket or a tunnel".to_owned()
        ));
    }
    if config.get_ports().is_empty() {
        let port = match variable("PGPORT") {
            Some(text) => text.parse().map_err(|_| bad(format!("PGPORT is {text:?}, which is no port")))?,
            None => DEFAULT_PORT,
        };
        config.port(port);
    }
    if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
        let port = config.get_ports().first().copied().unwrap_or(DEFAULT_PORT);
        match variable("PGHOST") {
            Some(hosts) => hosts.split(',').for_each(|host| {
                config.host(host);
            }),
            None => {
                config.host_path(socket_dir(port, exists));
            }
        }
    }
    if config.get_user().is_none_or(str::is_empty) {
        let user = variable("PGUSER").or_else(account);
        config.user(&user.ok_or_else(|| bad("it names no user, and this account has no name".to_owned()))?);
    }
    if config.get_password().is_none()
        && let Some(password) = variable("PGPASSWORD")
    {
        config.password(password);
    }
    if config.get_dbname().is_none_or(str::is_empty) {
        let database = variable("PGDATABASE").or_else(|| config.get_user().map(str::to_owned));
        config.dbname(&database.unwrap_or_default());
    }
    Ok(config)
}

fn socket_dir(port: u16, exists: &dyn Fn(&Path) -> bool) -> PathBuf {
    let dirs = SOCKET_DIRS.map(PathBuf::from);
    let with_socket = dirs.iter().find(|dir| exists(&dir.join(format!(".s.PGSQL.{port}"))));
    let [first, last] = &dirs;
    with_socket.unwrap_or(if exists(first) { first } else { last }).clone()
}

#[cfg(test)]
mod tests {
    use super::*;
    use postgres::config::Host;

    struct World {
        variables: &'static [(&'static str, &'static str)],
        paths: &'static [&'static str],
    }

    impl World {
        fn parse(&self, dsn: &str) -> Result<Config, BadDsn> {
            parse_in(
                dsn,
                &|name| self.variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()),
                &|| Some("pi".to_owned()),
                &|path| self.paths.iter().any(|p| Path::new(p) == path),
            )
        }
    }

    const BARE: World = World { variables: &[], paths: &["/var/run/postgresql", "/tmp"] };

    #[test]
    fn an_url_without_host_means_the_local_socket_and_the_accounts_name() {
        let config = BARE.parse("postgres:///piwheels").unwrap();
        assert_eq!(config.get_hosts(), [Host::Unix("/var/run/postgresql".into())]);
        assert_eq!((config.get_user(), config.get_dbname()), (Some("pi"), Some("piwheels")));
        assert_eq!(config.get_ports(), [5432]);
    }

    #[test]
    fn the_directory_that_has_the_socket_is_preferred() {
        let world = World { variables: &[], paths: &["/var/run/postgresql", "/tmp", "/tmp/.s.PGSQL.5433"] };
        let config = world.parse("dbname=piwheels port=5433").unwrap();
        assert_eq!(config.get_hosts(), [Host::Unix("/tmp".into())]);
    }

    #[test]
    fn the_environment_fills_what_the_dsn_leaves_open_and_nothing_else() {
        let world = World {
            variables: &[
                ("PGHOST", "/sockets"),
                ("PGPORT", "6000"),
                ("PGUSER", "farm"),
                ("PGDATABASE", "other"),
                ("PGPASSWORD", "secret"),
            ],
            paths: &[],
        };
        let config = world.parse("postgres://").unwrap();
        assert_eq!(config.get_hosts(), [Host::Unix("/sockets".into())]);
        assert_eq!((config.get_user(), config.get_dbname()), (Some("farm"), Some("other")));
        assert_eq!((config.get_ports(), config.get_password()), (&[6000][..], Some(&b"secret"[..])));
        let config = world.parse("postgres://:mine@db.example/").unwrap();
        assert_eq!(
            (config.get_user(), config.get_dbname()),
            (Some("farm"), Some("other")),
            "an empty user is none"
        );
        let config = world.parse("postgres://me:mine@db.example:7000/piwheels").unwrap();
        assert_eq!(config.get_hosts(), [Host::Tcp("db.example".into())]);
        assert_eq!((config.get_user(), config.get_dbname()), (Some("me"), Some("piwheels")));
        assert_eq!((config.get_ports(), config.get_password()), (&[7000][..], Some(&b"mine"[..])));
    }

    #[test]
    fn a_socket_directory_may_be_named_in_both_forms() {
        for dsn in
            ["postgres:///piwheels?host=/dir", "postgres://%2Fdir/piwheels", "dbname=piwheels host=/dir"]
        {
            let config = BARE.parse(dsn).unwrap();
            assert_eq!(config.get_hosts(), [Host::Unix("/dir".into())], "{dsn}");
            assert_eq!(config.get_dbname(), Some("piwheels"), "{dsn}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_refused_without_repeating_the_password() {
        for dsn in
            ["", " ", "piwheels", "postgres://a:hunter2@h/x?nonsense=1", "postgres://h:99999/x hunter2"]
        {
            let message = BARE.parse(dsn).unwrap_err().to_string();
            assert!(!message.contains("hunter2"), "{message}");
        }
        let message = BARE.parse("postgres:///x?sslmode=require").unwrap_err().to_string();
        assert!(message.contains("TLS is not supported"), "{message}");
        let world = World { variables: &[("PGPORT", "many")], paths: &[] };
        assert!(world.parse("postgres:///x").unwrap_err().to_string().contains("PGPORT"));
        let message = BARE.parse("postgres:///x?ss\n\nlmode=require").unwrap_err().to_string();
        assert!(message.contains("`ss??lmode`"), "one line: {message}");
    }

    #[test]
    fn descriptions_leave_the_password_out() {
        let text = describe(&BARE.parse("postgres://me:hunter2@db.example/piwheels").unwrap());
        assert_eq!(text, "database piwheels at db.example (port 5432) as user me");
    }
}
