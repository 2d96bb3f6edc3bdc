//! What Prometheus is told of the farm: figures → text. Pure: no socket, no clock, no question to anybody.
//!
//! ```text
//!   farm, threads, sockets ──figures.rs──► sheet.rs (families.rs names them) ──text──► http.rs around it ──► reactor/scrapers.rs
//! ```
//!
//! Every metric stands in [`families`], once, with its kind, its labels and what it means. No label has a value for each
//! slave, package or build: how many series there are follows from ABIs, channels and what the program itself names.

pub mod families;
pub mod figures;
pub mod histogram;
pub mod http;
pub mod sheet;
