//! What the farm talks about: names, versions, wheels, tags, jobs, byte ranges. No I/O, no clock.

pub mod apt;
#[cfg(any(feature = "master", feature = "admin"))]
pub mod core_metadata;
#[cfg(any(feature = "master", feature = "admin"))]
pub mod dependencies;
#[cfg(any(feature = "master", feature = "admin"))]
pub mod environment;
#[cfg(any(feature = "master", feature = "admin"))]
pub mod marker;
#[cfg(any(feature = "master", feature = "admin"))]
pub mod pattern;
pub mod project;
pub mod ranges;
#[cfg(any(feature = "master", feature = "admin"))]
pub mod requirement;
pub mod tags;
#[cfg(test)]
mod tests {
    #[cfg(feature = "master")]
    mod installers;
}
pub mod time;
#[cfg(any(feature = "master", feature = "admin"))]
pub mod trend;
#[cfg(any(feature = "master", feature = "admin"))]
pub mod version;
pub mod walls;
pub mod wheel;

/// Where the log of a build is published, below the output path.
pub fn log_path(build: BuildId) -> std::path::PathBuf {
    let digits = format!("{:012}", build.0);
    std::path::PathBuf::from("logs")
        .join(&digits[..4])
        .join(&digits[4..8])
        .join(format!("{}.txt.gz", &digits[8..]))
}

pub use crate::wire::ids::{BuildId, JobToken, Sha256};
#[cfg(any(feature = "master", feature = "admin"))]
pub use environment::Environment;
#[cfg(any(feature = "master", feature = "admin"))]
pub use pattern::NamePattern;
pub use project::ProjectName;
pub use tags::AbiTag;
pub use time::Millis;
#[cfg(any(feature = "master", feature = "admin"))]
pub use version::Version;
pub use wheel::WheelName;
