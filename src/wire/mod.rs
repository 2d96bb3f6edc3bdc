//! The protocol between the programs.
