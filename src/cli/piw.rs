//! `piw`, with its verbs.

use clap::{Parser, Subcommand};

use crate::admin::client::{ControlQueue, ImportQueue, StatusQueue};
use crate::admin::{
    abi, add, audit, feed, import, orders, policy, rebuild, remove, requeue, skips, slaves, stats, status,
    why,
};
use crate::options::{Common, Patience, Tool};

/// Administers a farm through its master.
#[derive(Parser, Debug)]
#[command(name = "piw", version, args_override_self = true)]
pub struct Options {
    /// What every program has.
    #[command(flatten)]
    pub common: Common,
    /// Where the master is.
    #[command(flatten)]
    pub import: ImportQueue,
    /// Where the farm is watched.
    #[command(flatten)]
    pub status: StatusQueue,
    /// Where it is commanded.
    #[command(flatten)]
    pub control: ControlQueue,
    /// How long the master is waited for.
    #[command(flatten)]
    pub patience: Patience,
    /// What is to be done.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What an administrator may want.
#[derive(Subcommand, Debug)]
#[expect(
    missing_docs,
    reason = "each verb's own type says what it is, and clap would take a line here for its help"
)]
pub enum Verb {
    Add(add::Add),
    Abi(abi::Abi),
    Why(why::Why),
    Skip(skips::Skip),
    Unskip(skips::Unskip),
    Block(skips::Block),
    Unblock(skips::Unblock),
    Policy(policy::Policy),
    Requeue(requeue::Requeue),
    Rebuild(rebuild::Rebuild),
    Import(import::Import),
    Remove(remove::Remove),
    Stats(stats::Stats),
    Status(status::Status),
    Audit(audit::Audit),
    Feed(feed::Feed),
    Slaves(slaves::Slaves),
    /// Hand nothing out any more until 'piw resume'; what is being built goes on
    Pause,
    /// Hand jobs out again
    Resume,
    Kill(orders::Kill),
    SkipBuild(orders::SkipBuild),
    /// Give slaves no job until 'piw wake'; what they build goes on
    Sleep(orders::Whom),
    /// Give slaves jobs again
    Wake(orders::Whom),
    /// Have the master read the keys of slaves again, and drop those whose keys hold no more
    ReloadKeys,
    Quit(orders::Quit),
}

impl Tool for Options {
    const NAME: &'static str = "piw";
}
