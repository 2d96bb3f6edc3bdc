//! `piw`: the administrator's verbs that the manual has no program for.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use piwheels::admin::client::Queue;
use piwheels::admin::orders::{self, Queues};
use piwheels::admin::{
    abi, add, audit, feed, import, policy, rebuild, remove, requeue, skips, slaves, stats, status, why,
};
use piwheels::options::{Common, Failure};

/// Administers a farm through its master.
#[derive(Parser, Debug)]
#[command(name = "piw", version, args_override_self = true)]
struct Options {
    #[command(flatten)]
    common: Common,
    /// The address of the master's import queue (default: ipc:///tmp/piw-import); always an ipc address
    #[arg(long, value_name = "ADDR", global = true)]
    import_queue: Option<String>,
    /// The address of the master's status queue (default: ipc:///tmp/piw-status); always an ipc address
    #[arg(long, value_name = "ADDR", global = true)]
    status_queue: Option<String>,
    /// The address of the master's control queue (default: ipc:///tmp/piw-control); always an ipc address
    #[arg(long, value_name = "ADDR", global = true)]
    control_queue: Option<String>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
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

fn main() -> ExitCode {
    match run(Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit("piw"),
    }
}

fn run(options: Options) -> Result<(), Failure> {
    let config = options.common.start("piw")?;
    let queue = Queue::import(&config, options.import_queue)?;
    let queues = Queues {
        control: Queue::control(&config, options.control_queue)?,
        status: Queue::status(&config, options.status_queue)?,
    };
    match &options.verb {
        Verb::Add(verb) => add::run(verb, &queue),
        Verb::Abi(verb) => abi::run(verb, &queue),
        Verb::Why(verb) => why::run(verb, &queue),
        Verb::Skip(verb) => skips::skip(verb, &queue),
        Verb::Unskip(verb) => skips::unskip(verb, &queue),
        Verb::Block(verb) => skips::block(verb, &queue),
        Verb::Unblock(verb) => skips::unblock(verb, &queue),
        Verb::Policy(verb) => policy::run(verb, &queue),
        Verb::Requeue(verb) => requeue::run(verb, &queue),
        Verb::Rebuild(verb) => rebuild::run(verb, &queue),
        Verb::Import(verb) => import::run(verb, options.common.quiet, &queue),
        Verb::Remove(verb) => remove::run(verb, options.common.quiet, &queue),
        Verb::Stats(verb) => stats::run(verb, &queue),
        Verb::Status(verb) => status::run(verb, options.common.quiet, &queues.status),
        Verb::Audit(verb) => audit::run(verb, &queue),
        Verb::Feed(verb) => feed::run(verb, &queue),
        Verb::Slaves(verb) => slaves::run(verb, &queues.status),
        Verb::Pause => orders::pause(&queues),
        Verb::Resume => orders::resume(&queues),
        Verb::Kill(verb) => orders::kill(verb, &queues),
        Verb::SkipBuild(verb) => orders::skip_build(verb, &queues),
        Verb::Sleep(whom) => orders::sleep(whom, &queues),
        Verb::Wake(whom) => orders::wake(whom, &queues),
        Verb::ReloadKeys => orders::reload_keys(&queues),
        Verb::Quit(verb) => orders::quit(verb, &queues),
    }
}
