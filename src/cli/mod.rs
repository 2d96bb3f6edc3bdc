//! The options of every program, each declared once: the parsers of `bin/`, the keys of configuration files, the manual
//! pages and the shells' completions all come from here. The slave's are told again from `slave/options.rs`.

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
