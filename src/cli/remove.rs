//! `piw-remove` (manual 7.2).

use clap::Parser;

use crate::admin::client::ImportQueue;
use crate::admin::remove::Remove;
use crate::options::{Common, Patience, Tool};

/// Removes what is published of a package or a version of it. Must run on the master's machine, as the master's account or root.
#[derive(Debug, Parser)]
#[command(name = "piw-remove", version, args_override_self = true)]
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
    /// What is to be removed.
    #[command(flatten)]
    pub remove: Remove,
}

impl Tool for Options {
    const NAME: &'static str = "piw-remove";
}
