//! `piw-import` (manual 6.2).

use clap::Parser;

use crate::admin::client::ImportQueue;
use crate::admin::import::Import;
use crate::options::{Common, Patience, Tool};

/// Has wheels published that were built elsewhere. Must run on the master's machine, as the master's account or root.
#[derive(Debug, Parser)]
#[command(name = "piw-import", version, args_override_self = true)]
pub struct Options {
    /// What every program has.
    #[command(flatten)]
    pub common: Common,
    /// Where the master is.
    #[command(flatten)]
    pub queue: ImportQueue,
    /// How long it is waited for.
    #[command(flatten)]
    pub patience: Patience,
    /// What is to be imported.
    #[command(flatten)]
    pub import: Import,
}

impl Tool for Options {
    const NAME: &'static str = "piw-import";
}
