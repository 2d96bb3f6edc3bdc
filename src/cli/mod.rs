//! The options of every program, each declared once: the parsers of `bin/`, the keys of configuration files, the manual
//! pages and the shells' completions all come from here. The slave's are told again from `slave/options.rs`.

#[cfg(feature = "admin")]
use crate::admin::client::{ImportQueue, Queue};
#[cfg(feature = "admin")]
use crate::options::{Common, Failure, Patience};

#[cfg(feature = "admin")]
pub mod import;
#[cfg(feature = "admin")]
pub mod initdb;
#[cfg(all(test, feature = "admin", feature = "master", feature = "monitor", feature = "slave"))]
mod keys;
#[cfg(feature = "admin")]
pub mod logger;
#[cfg(feature = "master")]
pub mod master;
#[cfg(feature = "monitor")]
pub mod monitor;
#[cfg(feature = "admin")]
pub mod piw;
#[cfg(feature = "admin")]
pub mod remove;
#[cfg(all(feature = "admin", feature = "slave"))]
pub mod slave;

/// What the two tools have that bring wheels and take them away (manual 6, 7).
#[cfg(feature = "admin")]
#[derive(clap::Args, Clone, Debug)]
pub struct Head {
    /// What every program has.
    #[command(flatten)]
    pub common: Common,
    /// Where the master is.
    #[command(flatten)]
    pub queue: ImportQueue,
    /// How long it is waited for.
    #[command(flatten)]
    pub patience: Patience,
}

#[cfg(feature = "admin")]
impl Head {
    /// Starts logging; where to ask.
    pub fn start(&self, program: &'static str, warnings: &[String]) -> Result<Queue, Failure> {
        self.common.start(program, warnings)?;
        Ok(Queue::import(&self.queue, self.patience))
    }
}

/// The commands of all programs.
#[cfg(all(feature = "admin", feature = "master", feature = "monitor", feature = "slave"))]
pub fn commands() -> Vec<clap::Command> {
    use clap::CommandFactory;
    vec![
        piw::Options::command(),
        master::Options::command(),
        monitor::Options::command(),
        initdb::Options::command(),
        import::Options::command(),
        remove::Options::command(),
        logger::Options::command(),
        slave::command(),
    ]
}
