//! The monitor: a terminal's view of a running farm (manual 4; `wire-spec/status.md`, `control.md`).
//!
//! ```text
//!  status channel ─► model (what is known) ─┐
//!                                           ├─► draw ─► cells ─► what changed ─► terminal
//!  terminal ─► keys ─► app (what is shown) ─┘
//!                       └─► actions ─► control channel
//! ```
//!
//! `model`, `app`, `draw`, `cells`, `keys`, `logtext`, `text` and `words` are pure: they name no terminal, socket or clock,
//! and time is an argument. `terminal`, `link` and `run` are the thin shell around them; `once` and `stream` print the same
//! for people and scripts without a terminal.

pub mod app;
pub mod cells;
pub mod draw;
pub mod json;
pub mod keys;
pub mod link;
pub mod logtext;
pub mod model;
pub mod once;
pub mod rows;
pub mod run;
pub mod terminal;
pub mod text;
pub mod words;
