//! Mistakes that are planted on purpose, to see that the simulator (`tests/simulation/`) finds them. Each is named where it
//! would be made; without the feature `mistakes`, which no release has, none is ever made and nothing is left of the question.
//!
//! One thread at a time makes one mistake: the simulator plants it for its own.

#[cfg(feature = "mistakes")]
mod planted {
    use std::cell::Cell;

    thread_local! {
        static PLANTED: Cell<Option<&'static str>> = const { Cell::new(None) };
    }

    /// Has this thread make this mistake, and no other.
    pub fn plant(mistake: Option<&'static str>) {
        PLANTED.set(mistake);
    }

    /// Whether this mistake is to be made here.
    pub fn is(mistake: &str) -> bool {
        PLANTED.get() == Some(mistake)
    }
}

#[cfg(feature = "mistakes")]
pub use planted::{is, plant};

/// Whether this mistake is to be made here: never.
#[cfg(not(feature = "mistakes"))]
#[inline(always)]
pub const fn is(_mistake: &str) -> bool {
    false
}
