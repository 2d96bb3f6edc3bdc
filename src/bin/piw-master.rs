//! `piw-master`: coordinates the slaves, keeps the database and the web site (manual chapter 2).

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use piwheels::config::{Duration, Size};
use piwheels::domain::Millis;
use piwheels::logging;
use piwheels::master::follower::{Follow, FollowSettings};
use piwheels::master::index_scribe::Site;
use piwheels::master::limits::Limits;
use piwheels::master::reactor::address::Address;
use piwheels::master::slave_keys;
use piwheels::master::start::{self, Settings};
use piwheels::options::{Common, Failure};

/// The master of a farm: hands out builds, takes in wheels, writes the index.
#[derive(Parser, Debug)]
#[command(name = "piw-master", version, args_override_self = true)]
struct Options {
    #[command(flatten)]
    common: Common,
    /// The database to use; must be configured with piw-initdb, and its user must not be a superuser (default:
    /// postgres:///piwheels)
    #[arg(short, long, value_name = "DSN")]
    dsn: Option<String>,
    /// The URL of the PyPI simple API (default: the index that pip on this machine is configured for)
    #[arg(long, value_name = "URL")]
    pypi_simple: Option<String>,
    /// What of the index is followed: the pages of what people asked for (list), every event (all), or nothing (none)
    /// (default: list)
    #[arg(long, value_name = "WHAT")]
    follow: Option<Follow>,
    /// How often the page of a followed package is read (default: 10m)
    #[arg(long, value_name = "DURATION")]
    follow_every: Option<Duration>,
    /// How long a project must be missing on the index before its files are withdrawn (default: 10m)
    #[arg(long, value_name = "DURATION")]
    removal_patience: Option<Duration>,
    /// The URL of the index's changelog (XML-RPC), for --follow all (default: beside the simple API)
    #[arg(long, value_name = "URL")]
    pypi_xmlrpc: Option<String>,
    /// The path under which the web site is written (default: /var/www)
    #[arg(short, long, value_name = "PATH")]
    output_path: Option<PathBuf>,
    /// The address at which everybody reaches the web site, for the lines on its pages that people copy (default: pages
    /// say where to look)
    #[arg(long, value_name = "URL")]
    site_url: Option<String>,
    /// The name of the web site, for people (default: piwheels)
    #[arg(long, value_name = "NAME")]
    site_name: Option<String>,
    /// Where unfinished files are kept: on the file system of the output path, and outside it (default: the output
    /// path with .spool added)
    #[arg(long, value_name = "PATH")]
    spool_path: Option<PathBuf>,
    /// Where build slaves connect (default: tcp://*:5555)
    #[arg(long, value_name = "ADDR")]
    slave_queue: Option<Address>,
    /// Where build slaves deliver files (default: tcp://*:5556)
    #[arg(long, value_name = "ADDR")]
    file_queue: Option<Address>,
    /// Where the administrator's tools connect (default: ipc:///tmp/piw-import)
    #[arg(long, value_name = "ADDR")]
    import_queue: Option<Address>,
    /// Where the keys of slaves are kept (default: the output path with .keys added)
    #[arg(long, value_name = "FILE")]
    keys_file: Option<PathBuf>,
    /// Make a key for a slave, print it once, and exit
    #[arg(long, value_name = "NAME", conflicts_with = "revoke")]
    add_slave: Option<String>,
    /// Take a slave's key away, and exit
    #[arg(long, value_name = "NAME")]
    revoke: Option<String>,
    /// Where monitors ask what the farm is doing (default: ipc:///tmp/piw-status)
    #[arg(long, value_name = "ADDR")]
    status_queue: Option<Address>,
    /// Where commands to the running farm come in (default: ipc:///tmp/piw-control)
    #[arg(long, value_name = "ADDR")]
    control_queue: Option<Address>,
    /// Where Prometheus scrapes metrics: a Unix socket, or a loopback address such as tcp://127.0.0.1:5557 (default: nowhere)
    #[arg(long, value_name = "ADDR")]
    metrics_queue: Option<Address>,
    /// Let slaves on other machines connect without a key
    #[arg(long)]
    insecure: bool,
    /// How long a slave may be silent before its job is handed out again (default: 5m)
    #[arg(long, value_name = "DURATION")]
    lease: Option<Duration>,
    /// How long a slave may be silent before its connection is closed (default: 30s)
    #[arg(long, value_name = "DURATION")]
    slave_silence: Option<Duration>,
    /// The most connections at a time (default: 4096)
    #[arg(long, value_name = "N")]
    max_connections: Option<usize>,
    /// The most connections of one address at a time (default: 256)
    #[arg(long, value_name = "N")]
    max_per_address: Option<usize>,
    /// The most messages of one slave in a second; the rest waits (default: 500)
    #[arg(long, value_name = "N")]
    max_messages: Option<u32>,
    /// How long a peer may take to say who it is (default: 10s)
    #[arg(long, value_name = "DURATION")]
    handshake_time: Option<Duration>,
    /// The longest log of one build (default: 8M)
    #[arg(long, value_name = "SIZE")]
    max_log: Option<Size>,
    /// The most of one file that is asked for and not yet on disk (default: 16M)
    #[arg(long, value_name = "SIZE")]
    transfer_window: Option<Size>,
    /// The same of all files together (default: 64M)
    #[arg(long, value_name = "SIZE")]
    transfer_memory: Option<Size>,
    /// The largest piece of a file that is asked for at once, 16K to 256K (default: 256K)
    #[arg(long, value_name = "SIZE")]
    chunk: Option<Size>,
    /// How long a slave that is connected may bring nothing of a file (default: 15m)
    #[arg(long, value_name = "DURATION")]
    transfer_patience: Option<Duration>,
    /// The most files of one build, 64 at most (default: 64)
    #[arg(long, value_name = "N")]
    max_files: Option<usize>,
    /// The largest file that is taken in (default: 2G)
    #[arg(long, value_name = "SIZE")]
    max_wheel: Option<Size>,
    /// With less free on the disk of the web site, what is promised to files on their way counted as taken, nothing is handed
    /// out; 0: that is not watched (default: 1G)
    #[arg(long, value_name = "SIZE")]
    disk_floor: Option<Size>,
}

fn main() -> ExitCode {
    let ended = run(Options::parse());
    logging::flush();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit("piw-master"),
    }
}

fn run(options: Options) -> Result<(), Failure> {
    let config = options.common.start("piw-master")?;
    let output = config.value(options.output_path, "output-path", PathBuf::from("/var/www"))?;
    let keys: Option<PathBuf> = config.find(options.keys_file, "keys-file")?;
    if options.add_slave.is_some() || options.revoke.is_some() {
        let file = start::keys_file(&output, keys.as_deref()).map_err(failure)?;
        return match (options.add_slave, options.revoke) {
            (Some(name), _) => slave_keys::add(&file, &name),
            (None, Some(name)) => slave_keys::revoke(&file, &name),
            (None, None) => Ok(()),
        };
    }
    let standard = Limits::default();
    let millis = |flag: Option<Duration>, key: &str, standard: Millis| {
        let Duration(span) = config.value(flag, key, Duration::secs(standard.0 / 1000))?;
        Ok::<_, Failure>(Millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX)))
    };
    let size = |flag: Option<Size>, key: &str, standard: u64| {
        let Size(bytes) = config.value(flag, key, Size(standard))?;
        Ok::<_, Failure>(bytes)
    };
    let limits = Limits {
        connections: config.value(options.max_connections, "max-connections", standard.connections)?,
        per_address: config.value(options.max_per_address, "max-per-address", standard.per_address)?,
        messages: config.value(options.max_messages, "max-messages", standard.messages)?,
        handshake: millis(options.handshake_time, "handshake-time", standard.handshake)?,
        lease: millis(options.lease, "lease", standard.lease)?,
        silence: millis(options.slave_silence, "slave-silence", standard.silence)?,
        log_bytes: size(options.max_log, "max-log", standard.log_bytes)?,
        files: config.value(options.max_files, "max-files", standard.files)?,
        transfer_window: size(options.transfer_window, "transfer-window", standard.transfer_window)?,
        transfer_memory: size(options.transfer_memory, "transfer-memory", standard.transfer_memory)?,
        chunk: size(options.chunk, "chunk", standard.chunk)?,
        transfer_patience: millis(
            options.transfer_patience,
            "transfer-patience",
            standard.transfer_patience,
        )?,
        wheel_bytes: size(options.max_wheel, "max-wheel", standard.wheel_bytes)?,
        disk_floor: size(options.disk_floor, "disk-floor", standard.disk_floor)?,
    };
    limits.check().map_err(Failure::usage)?;
    let standard_follow = FollowSettings::default();
    let follow = FollowSettings {
        follow: config.value(options.follow, "follow", standard_follow.follow)?,
        every: millis(options.follow_every, "follow-every", standard_follow.every)?,
        patience: millis(options.removal_patience, "removal-patience", standard_follow.patience)?,
    };
    follow.check().map_err(Failure::usage)?;
    let site_name: Option<String> = config.find(options.site_name, "site-name")?;
    let site_url: Option<String> = config.find(options.site_url, "site-url")?;
    let site = Site::new(site_name.as_deref(), site_url.as_deref()).map_err(Failure::usage)?;
    let settings = Settings {
        dsn: config.value(options.dsn, "dsn", "postgres:///piwheels".to_owned())?,
        pypi_simple: config.find(options.pypi_simple, "pypi-simple")?,
        pypi_xmlrpc: config.find(options.pypi_xmlrpc, "pypi-xmlrpc")?,
        follow,
        output,
        site,
        keys,
        spool: config.find(options.spool_path, "spool-path")?,
        slave_queue: config.value(options.slave_queue, "slave-queue", Address::Any(5555))?,
        file_queue: config.value(options.file_queue, "file-queue", Address::Any(5556))?,
        import_queue: config.value(
            options.import_queue,
            "import-queue",
            Address::Path("/tmp/piw-import".into()),
        )?,
        status_queue: config.value(
            options.status_queue,
            "status-queue",
            Address::Path("/tmp/piw-status".into()),
        )?,
        control_queue: config.value(
            options.control_queue,
            "control-queue",
            Address::Path("/tmp/piw-control".into()),
        )?,
        metrics_queue: config.find(options.metrics_queue, "metrics-queue")?,
        insecure: config.value(options.insecure.then_some(true), "insecure", false)?,
        limits,
    };
    start::run(&settings).map_err(failure)
}

fn failure(error: start::StartError) -> Failure {
    Failure { reasons: vec![error.reason], code: error.code, answered: false }
}
