//! What the farm talks about: names, versions, wheels, tags, jobs, byte ranges. No I/O, no clock.

pub mod project;
pub mod ranges;
pub mod tags;
pub mod time;
#[cfg(any(feature = "master", feature = "admin"))]
pub mod version;
pub mod wheel;

pub use crate::wire::ids::{BuildId, JobToken, Sha256};
pub use project::ProjectName;
pub use tags::AbiTag;
pub use time::Millis;
#[cfg(any(feature = "master", feature = "admin"))]
pub use version::Version;
pub use wheel::WheelName;
