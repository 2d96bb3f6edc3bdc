//! `piw-logger`.

use std::path::PathBuf;

use clap::Parser;

use crate::admin::client::ImportQueue;
use crate::admin::logger::{Format, SimplePath, TIME_LIMIT};
use crate::config::Duration;
use crate::options::{Common, Tool};

/// Reads access logs of the web server that serves the index, and has the master count the downloads in them. From a pipe
/// it reads on whatever the master does: records that find no room are dropped, and counted.
#[derive(Debug, Parser)]
#[command(name = "piw-logger", version, args_override_self = true)]
pub struct Options {
    /// What every program has.
    #[command(flatten)]
    pub common: Common,
    /// Where the master is.
    #[command(flatten)]
    pub queue: ImportQueue,
    /// The format of the logs: common, combined, vhost_combined or json (default: that of each log's first line)
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Where the index is on the web server
    #[arg(long, value_name = "PATH", default_value_t = SimplePath::standard())]
    pub simple_path: SimplePath,
    /// Drop records that the master does not take in time, and take that for success
    #[arg(long, conflicts_with = "wait")]
    pub drop: bool,
    /// Read a pipe no faster than the master takes the records; never for a web server's own
    #[arg(long)]
    pub wait: bool,
    /// How long the master may take for some records that must not be dropped; --timeout is the same
    #[arg(long, visible_alias = "timeout", value_name = "DURATION", default_value_t = Duration(TIME_LIMIT))]
    pub time_limit: Duration,
    /// The logs, plain or packed with gzip; - for standard input (default: -)
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

impl Tool for Options {
    const NAME: &'static str = "piw-logger";
}
