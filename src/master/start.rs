//! Starting the master: everything that can be wrong is found out before the first slave connects.

use std::fmt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use mio::{Poll, Waker};
use r2d2_postgres::PostgresConnectionManager;
use r2d2_postgres::postgres::NoTls;

use super::cloud_gazer::{CloudGazer, pip};
use super::farm::Farm;
use super::limits::Limits;
use super::oracle;
use super::query::{Abi, Answer, Query};
use super::reactor::address::Address;
use super::reactor::threads::{ORACLES, Threads};
use super::reactor::{ANSWERS, Listener, Reactor, Signals};
use super::writer::spool;
use crate::domain::Millis;
use crate::dsn;
use crate::logging;
use crate::wire::Channel;

/// What the master is to do, all options resolved.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The database.
    pub dsn: String,
    /// The index to follow; `None`: the one pip is configured for.
    pub pypi_simple: Option<String>,
    /// Where the web site is.
    pub output: PathBuf,
    /// Where unfinished files are; `None`: beside the output, with `.spool` added to its name.
    pub spool: Option<PathBuf>,
    /// Where slaves connect.
    pub slave_queue: Address,
    /// Where slaves deliver files.
    pub file_queue: Address,
    /// Where the administrator's tools connect.
    pub import_queue: Address,
    /// Slaves may connect from other machines, although they are not authenticated.
    pub insecure: bool,
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
    if !matches!(settings.import_queue, Address::Path(_)) {
        return Err(usage(format!("--import-queue {}: must be an ipc:// address", settings.import_queue)));
    }
    let signals = Signals::block().map_err(error)?;
    let spool = prepare_directories(&settings.output, settings.spool.clone())?;
    let (pool, abis) = open_database(&settings.dsn)?;
    if abis.is_empty() {
        log::warn!("no ABI is built for yet; 'piw abi add cp311' (for one) begins it");
    }
    let (index_url, certificates) = find_index(settings.pypi_simple.as_deref())?;

    let mut listeners = Vec::new();
    for (address, channel) in [
        (&settings.slave_queue, Channel::Slave),
        (&settings.file_queue, Channel::File),
        (&settings.import_queue, Channel::Import),
    ] {
        let open = settings.insecure;
        listeners.extend(Listener::bind(address, channel, open).map_err(error)?);
    }
    spool::clear(&spool).map_err(|e| error(format!("cannot empty {}: {e}", spool.display())))?;

    let poll = Poll::new().map_err(error)?;
    let waker = Waker::new(poll.registry(), ANSWERS).map_err(error)?;
    let gazer = {
        let index_url = index_url.clone();
        move || CloudGazer::new(&index_url, certificates.as_deref())
    };
    logging::detach().map_err(error)?;
    let threads = Threads::start(waker, &pool, settings.output.clone(), spool, gazer).map_err(error)?;
    let farm = Farm::new(Millis(0), settings.limits.clone(), index_url, &abis, seed()?);
    let connections = settings.limits.connections;
    let reactor = Reactor::new(poll, listeners, signals, threads, farm, connections).map_err(error)?;
    log::info!("ready");
    reactor.run().map_err(error)?;
    log::info!("stopped");
    Ok(())
}

/// Makes output and spool, and checks that the one can be linked into the other and is not served.
fn prepare_directories(output: &Path, spool: Option<PathBuf>) -> Result<PathBuf, StartError> {
    let make = |path: &Path, mode: u32| {
        std::fs::DirBuilder::new().recursive(true).mode(mode).create(path).map_err(|e| {
            error(format!("cannot make {}: {e}; make it, writable for this account", path.display()))
        })
    };
    let spool = spool.unwrap_or_else(|| {
        let mut name = output.as_os_str().to_owned();
        name.push(".spool");
        PathBuf::from(name)
    });
    let outside =
        || usage(format!("the spool {} must be outside the web site {}", spool.display(), output.display()));
    // before anything is made; again below, when links are resolved
    if spool.starts_with(output) {
        return Err(outside());
    }
    make(output, 0o755)?;
    make(&output.join("simple"), 0o755)?;
    make(&spool, 0o700)?;
    let place = |path: &Path| {
        let path = path.canonicalize().map_err(|e| error(format!("{}: {e}", path.display())))?;
        let device = path.metadata().map_err(|e| error(format!("{}: {e}", path.display())))?.dev();
        Ok((path, device))
    };
    let ((real_output, on), (real_spool, beside)) = (place(output)?, place(&spool)?);
    if on != beside {
        let (a, b) = (output.display(), spool.display());
        return Err(usage(format!(
            "{a} and {b} must be on one file system; --spool-path names another place"
        )));
    }
    if real_spool.starts_with(&real_output) {
        return Err(outside());
    }
    for path in [&real_output, &real_spool] {
        let probe = path.join(".piw-probe");
        std::fs::write(&probe, b"")
            .and_then(|()| std::fs::remove_file(&probe))
            .map_err(|e| error(format!("{} is not writable for this account: {e}", path.display())))?;
    }
    Ok(real_spool)
}

/// Connects, checks the schema, and reads what the farm must know from the start.
fn open_database(text: &str) -> Result<(super::reactor::threads::Pool, Vec<Abi>), StartError> {
    let mut config = dsn::parse(text).map_err(usage)?;
    oracle::configure(&mut config);
    let described = dsn::describe(&config);
    let mut client =
        config.connect(NoTls).map_err(|e| error(format!("cannot connect to {described}: {}", plain(&e))))?;
    oracle::check_schema(&mut client).map_err(error)?;
    let abis = match oracle::execute(&mut client, &Query::Abis) {
        Ok(Answer::Abis(abis)) => abis,
        other => return Err(error(format!("the database does not say which ABIs to build for: {other:?}"))),
    };
    drop(client);
    let pool = r2d2::Pool::builder()
        .max_size(ORACLES as u32)
        .min_idle(Some(1))
        .connection_timeout(Duration::from_secs(2))
        .test_on_check_out(false)
        .error_handler(Box::new(QuietPool))
        .build_unchecked(PostgresConnectionManager::new(config, NoTls));
    Ok((pool, abis))
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
    let cert = asked.as_ref().ok().and_then(|pip| pip.cert.clone());
    let index_url = match given {
        Some(url) if url.starts_with("http://") || url.starts_with("https://") => url.to_owned(),
        Some(url) => return Err(usage(format!("--pypi-simple {url}: must begin with http:// or https://"))),
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

fn seed() -> Result<[u8; 32], StartError> {
    use std::io::Read;
    let mut seed = [0; 32];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut seed))
        .map_err(|e| error(format!("no randomness: /dev/urandom: {e}")))?;
    Ok(seed)
}
