//! `piw`: the administrator's verbs that the manual has no program for.

use std::process::ExitCode;

use piwheels::admin::client::Queue;
use piwheels::admin::orders::{self, Queues};
use piwheels::admin::{
    abi, add, audit, feed, import, policy, rebuild, remove, requeue, skips, slaves, stats, status, why,
};
use piwheels::cli::piw::{Options, Verb};
use piwheels::options::{self, Failure, Tool};

fn main() -> ExitCode {
    options::read().map_or_else(
        |code| code,
        |(options, warnings)| options::ended(Options::NAME, run(&options, &warnings)),
    )
}

fn run(options: &Options, warnings: &[String]) -> Result<(), Failure> {
    options.common.start(Options::NAME, warnings)?;
    let queue = Queue::import(&options.import, options.patience);
    let queues = Queues {
        control: Queue::control(&options.control, options.patience),
        status: Queue::status(&options.status, options.patience),
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
