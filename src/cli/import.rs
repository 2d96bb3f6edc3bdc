//! `piw-import` (manual 6.2).

use clap::Parser;

use crate::admin::import::Import;
use crate::cli::Head;
use crate::options::Tool;

/// Has wheels published that were built elsewhere. Must run on the master's machine, as the master's account or root.
#[derive(Debug, Parser)]
#[command(name = "piw-import", version, args_override_self = true)]
pub struct Options {
    /// What both tools have.
    #[command(flatten)]
    pub head: Head,
    /// What is to be imported.
    #[command(flatten)]
    pub import: Import,
}

impl Tool for Options {
    const NAME: &'static str = "piw-import";
}
