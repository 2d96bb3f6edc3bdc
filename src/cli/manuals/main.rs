//! `tools/manuals --out DIR`: manual pages and the shells' completions, written from the programs' own options.
//!
//! No program of the package: what it needs beyond theirs is for development alone.

use std::path::PathBuf;
use std::process::ExitCode;

mod tree;
mod words;

fn main() -> ExitCode {
    let words: Vec<_> = std::env::args_os().skip(1).collect();
    let out = match &words[..] {
        [option, out] if option == "--out" => PathBuf::from(out),
        _ => {
            eprintln!("usage: tools/manuals --out DIR, for example /usr/local");
            return ExitCode::from(2);
        }
    };
    match tree::files().iter().try_for_each(|file| file.write_below(&out)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("manuals: {why}");
            ExitCode::FAILURE
        }
    }
}
