//! Starting the master: everything that can be wrong is found out before the first slave connects.

use std::fmt;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mio::{Poll, Waker};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use r2d2_postgres::postgres::{self, NoTls};

use super::cloud_gazer::{CloudGazer, pip, xml_rpc_url};
use super::farm::Farm;
use super::follower::FollowSettings;
use super::index_scribe::{HTML, Site};
use super::limits::Limits;
use super::oracle;
use super::query::{Abi, Answer, Order, Query};
use super::reactor::address::{Address, check_local};
use super::reactor::gate::Gate;
use super::reactor::threads::{ORACLES, Places, Pool, Threads};
use super::reactor::{ANSWERS, Listener, Reactor, Service, Signals};
use super::warden::{self, Sessions, Warden};
use super::writer::spool;
use crate::domain::Millis;
use crate::dsn;
use crate::keyfile::Keys;
use crate::logging;
use crate::wire::Channel;
use crate::wire::import::Pages;

/// Files that are open beside the peers' connections: the database's, those being written, the log.
const OWN_FILES: u64 = 256;

/// What the master is to do, all options resolved.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The database.
    pub dsn: String,
    /// The index to follow; `None`: the one pip is configured for.
    pub pypi_simple: Option<String>,
    /// Where the web site is.
    pub output: PathBuf,
    /// What its pages say of it.
    pub site: Site,
    /// Where unfinished files are; `None`: beside the output, with `.spool` added to its name.
    pub spool: Option<PathBuf>,
    /// Where slaves connect.
    pub slave_queue: Address,
    /// Where slaves deliver files.
    pub file_queue: Address,
    /// Where the administrator's tools connect.
    pub import_queue: Address,
    /// The keys of slaves; `None`: beside the output, with `.keys` added to its name.
    pub keys: Option<PathBuf>,
    /// Where monitors connect.
    pub status_queue: Address,
    /// Where the administrator's commands come in.
    pub control_queue: Address,
    /// Where metrics are scraped; `None`: nowhere.
    pub metrics_queue: Option<Address>,
    /// Slaves may connect from other machines without a key.
    pub insecure: bool,
    /// How the index is followed.
    pub follow: FollowSettings,
    /// Where the index's changelog is asked for (XML-RPC); `None`: beside the simple index.
    pub pypi_xmlrpc: Option<String>,
    /// Bounds.
    pub limits: Limits,
}

/// Why the master cannot start: one line that says what to do, and the exit code.
#[derive(Debug)]
pub struct StartError {
    /// For people.
    pub reason: String,
    /// 1, or 2 for what was wrong with the options.
    pub code: u8,
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

fn error(reason: impl ToString) -> StartError {
    StartError { reason: reason.to_string(), code: 1 }
}

fn usage(reason: impl ToString) -> StartError {
    StartError { reason: reason.to_string(), code: 2 }
}

/// Runs the master until it is told to stop.
pub fn run(settings: &Settings) -> Result<(), StartError> {
    if nix::unistd::geteuid().is_root() {
        return Err(error(
            "must not run as root: start it as an account of its own (for example: runuser -u piwheels -- piw-master)",
        ));
    }
    for (option, address) in [
        ("import", &settings.import_queue),
        ("status", &settings.status_queue),
        ("control", &settings.control_queue),
    ] {
        if !matches!(address, Address::Path(_)) {
            return Err(usage(format!("--{option}-queue {address}: must be an ipc:// address")));
        }
    }
    if let Some(address) = &settings.metrics_queue {
        check_local(address).map_err(|reason| usage(format!("--metrics-queue {reason}")))?;
    }
    allow_files(settings.limits.connections)?;
    let (spool, _locks) = prepare_directories(&settings.output, settings.spool.clone())?;
    let (config, warden, abis) = open_database(&settings.dsn, &settings.output)?;
    if abis.is_empty() {
        log::warn!("no ABI is built for yet; 'piw abi add cp311' (for one) begins it");
    }
    let keys_file = keys_file(&settings.output, settings.keys.as_deref())?;
    let keys = Keys::read_if_there(&keys_file).map_err(error)?;
    let (index_url, certificates) = find_index(settings.pypi_simple.as_deref())?;
    if let Some(url) = settings.pypi_xmlrpc.as_deref().filter(|url| !pip::is_address(url)) {
        return Err(no_address("--pypi-xmlrpc", url));
    }

    // From here on threads are started, which must not get them; until here a signal ends the program as usual, also
    // while it waits for the database or for pip.
    let signals = Signals::block().map_err(error)?;
    let pool = pool(Sessions::new(config, warden.name().to_owned()));
    let mut listeners = Vec::new();
    for (address, channel) in [
        (&settings.slave_queue, Channel::Slave),
        (&settings.file_queue, Channel::File),
        (&settings.import_queue, Channel::Import),
        (&settings.status_queue, Channel::Status),
        (&settings.control_queue, Channel::Control),
    ] {
        let open = settings.insecure || !keys.is_empty();
        listeners.extend(Listener::bind(address, channel.into(), open).map_err(error)?);
    }
    if let Some(address) = &settings.metrics_queue {
        listeners.extend(Listener::bind(address, Service::Metrics, false).map_err(error)?);
    }
    spool::clear(&spool).map_err(|e| error(format!("cannot empty {}: {e}", spool.display())))?;

    let poll = Poll::new().map_err(error)?;
    let waker = Waker::new(poll.registry(), ANSWERS).map_err(error)?;
    let gazer = {
        let index_url = index_url.clone();
        let xml_rpc_url = match &settings.pypi_xmlrpc {
            Some(url) => url.clone(),
            None => xml_rpc_url(&index_url),
        };
        move || CloudGazer::new(&index_url, &xml_rpc_url, certificates.as_deref())
    };
    logging::detach().map_err(error)?;
    let places = Places { output: settings.output.clone(), spool, keys: keys_file };
    let threads =
        Threads::start(waker, warden, &pool, places, settings.site.clone(), gazer).map_err(error)?;
    let mut farm = Farm::new(Millis(0), settings.limits.clone(), index_url, settings.follow, &abis, seed()?);
    if settings.metrics_queue.is_some() {
        farm.measure();
    }
    let gate = Gate::new(keys, settings.insecure, seed()?, &settings.limits);
    let connections = settings.limits.connections;
    let reactor = Reactor::new(poll, listeners, signals, threads, farm, connections, gate).map_err(error)?;
    log::info!("ready");
    reactor.run().map_err(error)?;
    log::info!("stopped");
    Ok(())
}

/// Raises the limit of open files as far as this account may, and checks that it is enough.
fn allow_files(connections: usize) -> Result<(), StartError> {
    let failed = |e: nix::Error| error(format!("the limit of open files cannot be read or raised: {e}"));
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).map_err(failed)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map_err(failed)?;
    }
    let needed = (connections as u64).saturating_add(OWN_FILES);
    if needed > hard {
        return Err(error(format!(
            "{connections} connections need {needed} open files, and the limit is {hard}: raise it (ulimit -n, or \
             LimitNOFILE= in the unit), or take fewer with --max-connections"
        )));
    }
    Ok(())
}

/// Makes output and spool, and checks that the one can be linked into the other, is not served, and is not in use.
fn prepare_directories(
    output: &Path,
    spool: Option<PathBuf>,
) -> Result<(PathBuf, [spool::Lock; 2]), StartError> {
    let spool = match spool {
        Some(spool) => spool,
        None => spool_beside(output)?,
    };
    let outside =
        || usage(format!("the spool {} must be outside the web site {}", spool.display(), output.display()));
    // before anything is made; again below, when links are resolved
    if spool.starts_with(output) {
        return Err(outside());
    }
    let cannot = |path: &Path, e: io::Error| {
        error(format!("cannot make {}: {e}; make it, writable for this account", path.display()))
    };
    make_public_dir(output).map_err(|e| cannot(output, e))?;
    let simple = output.join("simple");
    make_public_dir(&simple).map_err(|e| cannot(&simple, e))?;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&spool).map_err(|e| cannot(&spool, e))?;
    let real = |path: &Path| path.canonicalize().map_err(|e| error(format!("{}: {e}", path.display())));
    let (real_output, real_spool) = (real(output)?, real(&spool)?);
    if real_spool.starts_with(&real_output) {
        return Err(outside());
    }
    let locks = [
        spool::Lock::take(&real_spool).map_err(error)?,
        spool::Lock::take_output(&real_output).map_err(error)?,
    ];
    for path in [&real_output, &real_spool] {
        let probe = path.join(spool::PROBE);
        std::fs::write(&probe, b"")
            .and_then(|()| std::fs::remove_file(&probe))
            .map_err(not_writable(path))?;
    }
    probe_link(&real_spool, &real_output.join("simple"))?;
    Ok((real_spool, locks))
}

/// Where the keys of slaves are: outside the web site.
pub fn keys_file(output: &Path, given: Option<&Path>) -> Result<PathBuf, StartError> {
    match given {
        Some(path) if path.starts_with(output) => Err(usage(format!(
            "the keys {} must be outside the web site {}",
            path.display(),
            output.display()
        ))),
        Some(path) => Ok(path.to_owned()),
        None => beside(output, ".keys", "--keys-file"),
    }
}

/// The default: the output's own name with `.spool` added, whatever stands behind it in the path.
fn spool_beside(output: &Path) -> Result<PathBuf, StartError> {
    beside(output, ".spool", "--spool-path")
}

fn beside(output: &Path, suffix: &str, option: &str) -> Result<PathBuf, StartError> {
    // /srv/www/ and /srv/www/. are /srv/www; . and / have no name to add to
    let output: PathBuf = output.components().collect();
    let Some(name) = output.file_name() else {
        return Err(usage(format!(
            "{} has no name to make another of: name a place with {option}",
            output.display()
        )));
    };
    let mut name = name.to_owned();
    name.push(suffix);
    Ok(output.with_file_name(name))
}

/// Makes a directory for the web server to read, whatever the umask. One that is there keeps its mode.
fn make_public_dir(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    std::fs::DirBuilder::new().recursive(true).mode(0o755).create(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}

fn not_writable(path: &Path) -> impl FnOnce(io::Error) -> StartError {
    let path = path.display().to_string();
    move |e| error(format!("{path} is not writable for this account: {e}"))
}

/// Links a file of the spool where wheels go. Nothing else tells whether that can be done: two mounts of one file
/// system have the same device, and link(2) refuses between them.
fn probe_link(spool: &Path, simple: &Path) -> Result<(), StartError> {
    let (from, to) = (spool.join(spool::PROBE), simple.join(spool::PROBE));
    // what a start that was killed has left
    let _ = std::fs::remove_file(&to);
    std::fs::write(&from, b"").map_err(not_writable(spool))?;
    let linked = std::fs::hard_link(&from, &to);
    let removed = std::fs::remove_file(&from);
    match linked {
        Ok(()) => removed.and_then(|()| std::fs::remove_file(&to)).map_err(not_writable(simple)),
        Err(e) if e.kind() == io::ErrorKind::CrossesDevices => Err(usage(format!(
            "{} and {} must be on one file system, and in one mount of it: a file of the one cannot be linked into \
             the other; --spool-path names another place",
            simple.display(),
            spool.display()
        ))),
        Err(e) => Err(error(format!(
            "a file of {} cannot be linked into {}: {e}",
            spool.display(),
            simple.display()
        ))),
    }
}

/// Connects, checks the schema and the role, and reads what the farm must know from the start. Has a root index written where
/// there is none: every page for people leads to it, also on a farm that has published nothing yet. From here
/// on this is the only master of the database.
fn open_database(text: &str, output: &Path) -> Result<(postgres::Config, Warden, Vec<Abi>), StartError> {
    let mut config = dsn::parse(text).map_err(usage)?;
    oracle::configure(&mut config);
    let name = warden::own_name();
    config.application_name(&name);
    let described = dsn::describe(&config);
    let mut client = config.connect(NoTls).map_err(|e| {
        error(format!(
            "cannot connect to {described}: {} (is PostgreSQL running, and is --dsn right?)",
            plain(&e)
        ))
    })?;
    oracle::check_role(&mut client).map_err(error)?;
    oracle::check_schema(&mut client).map_err(error)?;
    let mut warden = Warden::take(config.clone(), client, name).map_err(error)?;
    let abis = match oracle::execute(warden.client(), &Query::Abis) {
        Ok(Answer::Abis(abis)) => abis,
        other => return Err(error(format!("the database does not say which ABIs to build for: {other:?}"))),
    };
    if !output.join("simple").join(HTML).is_file() {
        let order = Order::Rebuild { what: Pages::Index, names: Vec::new(), after: 0 };
        oracle::execute(warden.client(), &Query::Order(Box::new(order)))
            .map_err(|failure| error(format!("the root index cannot be ordered: {failure:?}")))?;
    }
    Ok((config, warden, abis))
}

/// The oracles' connections. Starts threads.
fn pool(sessions: Sessions) -> Pool {
    r2d2::Pool::builder()
        .max_size(ORACLES as u32)
        .min_idle(Some(1))
        .connection_timeout(Duration::from_secs(2))
        .test_on_check_out(false)
        .error_handler(Box::new(QuietPool))
        .build_unchecked(sessions)
}

/// The oracles say themselves when the database is away; the pool need not, too.
#[derive(Debug)]
struct QuietPool;

impl<E: std::error::Error> r2d2::HandleError<E> for QuietPool {
    fn handle_error(&self, error: E) {
        log::debug!("the database pool: {error}");
    }
}

/// An error with what caused it: the driver's own text is only "db error" or "error connecting".
fn plain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}

/// The index to follow, and the certificates to trust it by.
fn find_index(given: Option<&str>) -> Result<(String, Option<Vec<u8>>), StartError> {
    let asked = pip::settings();
    if let (Some(_), Err(reason)) = (given, &asked) {
        log::info!("pip's own certificate file, if it has one, is not known: {reason}");
    }
    let cert = asked.as_ref().ok().and_then(|pip| pip.cert.clone());
    let index_url = match given {
        Some(url) if pip::is_address(url) => url.to_owned(),
        Some(url) => return Err(no_address("--pypi-simple", url)),
        None => asked.map_err(error)?.index_url,
    };
    // the system's certificates, where pip names none: a farm behind a proxy of its own has its CA there
    let system =
        ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"].map(PathBuf::from);
    let named = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
    let file = cert.into_iter().chain(named).chain(system).find(|path| path.is_file());
    let certificates = match file {
        Some(path) => {
            Some(std::fs::read(&path).map_err(|e| error(format!("cannot read {}: {e}", path.display())))?)
        }
        None => None,
    };
    Ok((index_url, certificates))
}

fn no_address(option: &str, url: &str) -> StartError {
    usage(format!("{option} {url:?}: must begin with http:// or https://, and have no spaces"))
}

fn seed() -> Result<[u8; 32], StartError> {
    use std::io::Read;
    let mut seed = [0; 32];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut seed))
        .map_err(|e| error(format!("no randomness: /dev/urandom: {e}")))?;
    Ok(seed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_spool_is_beside_the_output_and_never_in_it() {
        let beside = |output: &str| spool_beside(Path::new(output)).map(|p| p.display().to_string()).ok();
        for output in ["/srv/www", "/srv/www/", "/srv/www//", "/srv/www/.", "/srv//www/./"] {
            assert_eq!(beside(output).as_deref(), Some("/srv/www.spool"), "{output}");
        }
        assert_eq!(beside("www/").as_deref(), Some("www.spool"));
        for output in ["/", ".", "..", "/srv/.."] {
            assert_eq!(beside(output), None, "{output}");
        }
    }

    #[test]
    fn directories_are_made_for_the_web_server_whatever_the_umask() {
        let dir = tempfile::tempdir().unwrap();
        let output = dir.path().join("www/");
        let before = nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
        let prepared = prepare_directories(&output, None);
        nix::sys::stat::umask(before);
        let (spool, locks) = prepared.unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&output), 0o755);
        assert_eq!(mode(&output.join("simple")), 0o755);
        assert_eq!(mode(&spool), 0o700);
        assert_eq!(output.join("simple").read_dir().unwrap().count(), 0, "the probe is gone");
        // one that was there is the operator's
        std::fs::set_permissions(&output, std::fs::Permissions::from_mode(0o750)).unwrap();
        drop(locks);
        prepare_directories(&output, None).unwrap();
        assert_eq!(mode(&output), 0o750);
    }

    #[test]
    fn more_connections_than_open_files_are_refused_with_both_numbers() {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let refused = allow_files(hard as usize).unwrap_err().reason;
        assert!(
            refused.contains(&format!("need {} open files, and the limit is {hard}", hard + 256)),
            "{refused}"
        );
        let (soft, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        assert_eq!(soft, hard);
    }
}
