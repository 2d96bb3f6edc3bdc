//! `piw-master`: coordinates the slaves, keeps the database and the web site (manual chapter 2).

use std::process::ExitCode;

use piwheels::cli::master::Options;
use piwheels::logging;
use piwheels::master::slave_keys;
use piwheels::master::start;
use piwheels::options::{self, Failure, Tool};

fn main() -> ExitCode {
    let (options, warnings) = match options::read() {
        Ok(read) => read,
        Err(code) => return code,
    };
    let ended = run(&options, &warnings);
    logging::flush();
    options::ended(Options::NAME, ended)
}

fn run(options: &Options, warnings: &[String]) -> Result<(), Failure> {
    options.common.start(Options::NAME, warnings)?;
    let failure =
        |error: start::StartError| Failure { reasons: vec![error.reason], code: error.code, answered: false };
    if options.add_slave.is_some() || options.revoke.is_some() {
        let file = start::keys_file(&options.output_path, options.keys_file.as_deref()).map_err(failure)?;
        return match (&options.add_slave, &options.revoke) {
            (Some(name), _) => slave_keys::add(&file, name),
            (None, Some(name)) => slave_keys::revoke(&file, name),
            (None, None) => Ok(()),
        };
    }
    start::run(&options.settings()?).map_err(failure)
}
