//! `piw-master` (manual 2.2).

use std::path::PathBuf;

use clap::{Args, Parser};

use crate::config::{Duration, Size};
use crate::dsn;
use crate::master::follower::{Follow, FollowSettings};
use crate::master::index_scribe::{STANDARD_NAME, Site};
use crate::master::limits::Limits;
use crate::master::reactor::address::{Address, Internal};
use crate::master::start::Settings;
use crate::options::{COMMAND_LINE, CONTROL_QUEUE, Common, Failure, IMPORT_QUEUE, STATUS_QUEUE, Tool};

/// The master of a farm: hands out builds, takes in wheels, writes the index.
#[derive(Parser, Debug)]
#[command(name = "piw-master", version, args_override_self = true)]
pub struct Options {
    /// What every program has.
    #[command(flatten)]
    pub common: Common,
    /// The database to use; must be configured with piw-initdb, and its user must not be a superuser
    #[arg(short, long, value_name = "DSN", default_value = dsn::STANDARD)]
    pub dsn: String,
    /// The URL of the PyPI simple API (default: the index that pip on this machine is configured for)
    #[arg(long, value_name = "URL")]
    pub pypi_simple: Option<String>,
    /// What of the index is followed: the pages of what people asked for (list), every event (all), or nothing (none)
    #[arg(long, value_name = "WHAT", default_value_t = FollowSettings::default().follow)]
    pub follow: Follow,
    /// How often the page of a followed package is read
    #[arg(long, value_name = "DURATION", default_value_t = Duration::from(FollowSettings::default().every))]
    pub follow_every: Duration,
    /// How long a project must be missing on the index before its files are withdrawn
    #[arg(long, value_name = "DURATION", default_value_t = Duration::from(FollowSettings::default().patience))]
    pub removal_patience: Duration,
    /// The URL of the index's changelog (XML-RPC), for --follow all (default: beside the simple API)
    #[arg(long, value_name = "URL")]
    pub pypi_xmlrpc: Option<String>,
    /// The path under which the web site is written
    #[arg(short, long, value_name = "PATH", default_value = "/var/www")]
    pub output_path: PathBuf,
    /// The address at which everybody reaches the web site, for the lines on its pages that people copy (default:
    /// pages say where to look)
    #[arg(long, value_name = "URL")]
    pub site_url: Option<String>,
    /// The name of the web site, for people
    #[arg(long, value_name = "NAME", default_value = STANDARD_NAME)]
    pub site_name: String,
    /// Where unfinished files are kept: on the file system of the output path, and outside it (default: the output
    /// path with .spool added)
    #[arg(long, value_name = "PATH")]
    pub spool_path: Option<PathBuf>,
    /// Where build slaves connect
    #[arg(long, value_name = "ADDR", default_value = "tcp://*:5555")]
    pub slave_queue: Address,
    /// Where build slaves deliver files
    #[arg(long, value_name = "ADDR", default_value = "tcp://*:5556")]
    pub file_queue: Address,
    /// Where the administrator's tools connect
    #[arg(long, value_name = "ADDR", default_value = IMPORT_QUEUE)]
    pub import_queue: Address,
    /// Where the keys of slaves are kept (default: the output path with .keys added)
    #[arg(long, value_name = "FILE")]
    pub keys_file: Option<PathBuf>,
    /// Make a key for a slave, print it once, and exit
    #[arg(long, value_name = "NAME", conflicts_with = "revoke", help_heading = COMMAND_LINE)]
    pub add_slave: Option<String>,
    /// Take a slave's key away, and exit
    #[arg(long, value_name = "NAME", help_heading = COMMAND_LINE)]
    pub revoke: Option<String>,
    /// Where monitors ask what the farm is doing
    #[arg(long, value_name = "ADDR", default_value = STATUS_QUEUE)]
    pub status_queue: Address,
    /// Where commands to the running farm come in
    #[arg(long, value_name = "ADDR", default_value = CONTROL_QUEUE)]
    pub control_queue: Address,
    /// Where Prometheus scrapes metrics: a Unix socket, or a loopback address such as tcp://127.0.0.1:5557 (default: nowhere)
    #[arg(long, value_name = "ADDR")]
    pub metrics_queue: Option<Address>,
    /// Let slaves on other machines connect without a key
    #[arg(long)]
    pub insecure: bool,
    /// How long a slave may be silent before its job is handed out again
    #[arg(long, value_name = "DURATION", default_value_t = Duration::from(Limits::default().lease))]
    pub lease: Duration,
    /// How long a slave may be silent before its connection is closed
    #[arg(long, value_name = "DURATION", default_value_t = Duration::from(Limits::default().silence))]
    pub slave_silence: Duration,
    /// The most connections at a time
    #[arg(long, value_name = "N", default_value_t = Limits::default().connections)]
    pub max_connections: usize,
    /// The most connections of one address at a time
    #[arg(long, value_name = "N", default_value_t = Limits::default().per_address)]
    pub max_per_address: usize,
    /// The most messages of one slave in a second; the rest waits
    #[arg(long, value_name = "N", default_value_t = Limits::default().messages)]
    pub max_messages: u32,
    /// How long a peer may take to say who it is
    #[arg(long, value_name = "DURATION", default_value_t = Duration::from(Limits::default().handshake))]
    pub handshake_time: Duration,
    /// The longest log of one build
    #[arg(long, value_name = "SIZE", default_value_t = Size(Limits::default().log_bytes))]
    pub max_log: Size,
    /// The most of one file that is asked for and not yet on disk
    #[arg(long, value_name = "SIZE", default_value_t = Size(Limits::default().transfer_window))]
    pub transfer_window: Size,
    /// The same of all files together
    #[arg(long, value_name = "SIZE", default_value_t = Size(Limits::default().transfer_memory))]
    pub transfer_memory: Size,
    /// The largest piece of a file that is asked for at once, 16K to 256K
    #[arg(long, value_name = "SIZE", default_value_t = Size(Limits::default().chunk))]
    pub chunk: Size,
    /// How long a slave that is connected may bring nothing of a file
    #[arg(long, value_name = "DURATION", default_value_t = Duration::from(Limits::default().transfer_patience))]
    pub transfer_patience: Duration,
    /// The most files of one build, 64 at most
    #[arg(long, value_name = "N", default_value_t = Limits::default().files)]
    pub max_files: usize,
    /// The largest file that is taken in
    #[arg(long, value_name = "SIZE", default_value_t = Size(Limits::default().wheel_bytes))]
    pub max_wheel: Size,
    /// With less free on the disk of the web site, what is promised to files on their way counted as taken, nothing is handed
    /// out; 0: that is not watched
    #[arg(long, value_name = "SIZE", default_value_t = Size(Limits::default().disk_floor))]
    pub disk_floor: Size,
    /// The addresses of the manual's inner queues.
    #[command(flatten)]
    pub internal: InternalQueues,
}

/// Queues between tasks of the original master. Here the tasks are one program and speak by memory: nothing connects to
/// these, and they are accepted so that a command line or a file of the original's goes on working.
#[derive(Args, Clone, Debug)]
#[command(
    next_help_heading = "Internal queues (without effect: the master's tasks share their memory, and nothing connects)"
)]
pub struct InternalQueues {
    /// The address of the IndexScribe queue: inproc:// and a name that no other has
    #[arg(long, value_name = "ADDR", default_value = "inproc://indexes")]
    pub index_queue: Internal,
    /// The address of the queue used to store pending builds: inproc:// and a name that no other has
    #[arg(long, value_name = "ADDR", default_value = "inproc://builds")]
    pub builds_queue: Internal,
    /// The address of the queue used to talk to the database server: inproc:// and a name that no other has
    #[arg(long, value_name = "ADDR", default_value = "inproc://db")]
    pub db_queue: Internal,
    /// The address of the queue used to talk to the file-system server: inproc:// and a name that no other has
    #[arg(long, value_name = "ADDR", default_value = "inproc://fs")]
    pub fs_queue: Internal,
}

impl InternalQueues {
    fn check(&self) -> Result<(), Failure> {
        let Self { index_queue, builds_queue, db_queue, fs_queue } = self;
        let all = [
            ("index-queue", index_queue),
            ("builds-queue", builds_queue),
            ("db-queue", db_queue),
            ("fs-queue", fs_queue),
        ];
        for (at, (option, queue)) in all.iter().enumerate() {
            if let Some((other, _)) = all[..at].iter().find(|(_, other)| other == queue) {
                return Err(Failure::usage(format!(
                    "--{other} and --{option} are both {queue}: each internal queue has a name of its own"
                )));
            }
        }
        Ok(())
    }
}

impl Tool for Options {
    const NAME: &'static str = "piw-master";

    fn check(&self) -> Result<(), Failure> {
        self.internal.check()?;
        self.settings().map(drop)
    }
}

impl Options {
    /// What the master is started with.
    pub fn settings(&self) -> Result<Settings, Failure> {
        let limits = Limits {
            connections: self.max_connections,
            per_address: self.max_per_address,
            messages: self.max_messages,
            handshake: self.handshake_time.millis(),
            lease: self.lease.millis(),
            silence: self.slave_silence.millis(),
            log_bytes: self.max_log.0,
            files: self.max_files,
            transfer_window: self.transfer_window.0,
            transfer_memory: self.transfer_memory.0,
            chunk: self.chunk.0,
            transfer_patience: self.transfer_patience.millis(),
            wheel_bytes: self.max_wheel.0,
            disk_floor: self.disk_floor.0,
        };
        limits.check().map_err(Failure::usage)?;
        let follow = FollowSettings {
            follow: self.follow,
            every: self.follow_every.millis(),
            patience: self.removal_patience.millis(),
        };
        follow.check().map_err(Failure::usage)?;
        let site = Site::new(Some(&self.site_name), self.site_url.as_deref()).map_err(Failure::usage)?;
        Ok(Settings {
            dsn: self.dsn.clone(),
            pypi_simple: self.pypi_simple.clone(),
            pypi_xmlrpc: self.pypi_xmlrpc.clone(),
            follow,
            output: self.output_path.clone(),
            site,
            keys: self.keys_file.clone(),
            spool: self.spool_path.clone(),
            slave_queue: self.slave_queue.clone(),
            file_queue: self.file_queue.clone(),
            import_queue: self.import_queue.clone(),
            status_queue: self.status_queue.clone(),
            control_queue: self.control_queue.clone(),
            metrics_queue: self.metrics_queue.clone(),
            insecure: self.insecure,
            limits,
        })
    }
}
