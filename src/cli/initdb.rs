//! `piw-initdb` (manual 5.2).

use clap::Parser;

use crate::dsn;
use crate::options::{COMMAND_LINE, Common, Tool};

/// Makes the farm's tables in a database that exists, brings older ones up to date, or takes over what the original
/// piwheels has there at its version 0.10. Asks before it changes anything, and does everything in one transaction.
#[derive(Debug, Parser)]
#[command(name = "piw-initdb", version, args_override_self = true)]
pub struct Options {
    /// What every program has.
    #[command(flatten)]
    pub common: Common,
    /// The database to create or upgrade; must connect as a superuser of it
    #[arg(short, long, value_name = "DSN", default_value = dsn::STANDARD)]
    pub dsn: String,
    /// The name of the ordinary role that the master uses
    #[arg(short, long, value_name = "NAME", default_value = "piwheels")]
    pub user: String,
    /// Proceed without prompting
    #[arg(short, long, help_heading = COMMAND_LINE)]
    pub yes: bool,
}

impl Tool for Options {
    const NAME: &'static str = "piw-initdb";
}
