//! An operator who imports and removes through all of it, one after the other, and tries again what failed.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use piwheels::domain::Sha256;

use super::dice::Dice;
use crate::kit::account;
use crate::kit::farm::{Toolbox, text};
use crate::kit::wheel::{noise, sound};

/// What the operator did and was told.
#[derive(Default)]
pub(super) struct Done {
    /// By file name: digests of wheels that were imported, as far as nobody removed them since.
    pub(super) imported: BTreeMap<String, Sha256>,
    /// Packages of which a removal was begun at least.
    pub(super) touched: BTreeSet<String>,
    /// Those that are not to be built again.
    pub(super) skipped: BTreeSet<String>,
    pub(super) imports: usize,
    pub(super) removals: usize,
    /// Tries that did not end well, each of which was made again.
    pub(super) failed: usize,
    /// Tools that were killed.
    pub(super) killed: usize,
}

/// What the operator does in any case, the farm at rest or not.
const LEAST: usize = 6;

enum Task {
    Import(PathBuf, Sha256),
    Remove(String, bool),
}

/// Imports and removes until told to stop, and then until what was begun is done. `built`: packages of the farm's own.
pub(super) fn operate(tools: &Toolbox, seed: u64, run: &Path, built: &[String], stop: &AtomicBool) -> Done {
    let mut dice = Dice::new(!seed);
    let mut done = Done::default();
    let mut names: Vec<String> = Vec::new();
    for n in 0.. {
        if n >= LEAST && stop.load(Ordering::Relaxed) {
            break;
        }
        let task = match dice.below(5) {
            0 if !names.is_empty() => Task::Remove(names.swap_remove(dice.below(names.len())), true),
            1 => Task::Remove(built[dice.below(built.len())].clone(), dice.one_in(2)),
            _ => {
                let name = format!("brought{n}");
                let bytes = sound(&name, "1.0", None, &noise(dice.below(60_000), dice.number()));
                let path = run.join(format!("{name}-1.0-py3-none-any.whl"));
                fs::write(&path, &bytes).unwrap();
                account::give(&path);
                names.push(name);
                Task::Import(path, Sha256::of(&bytes))
            }
        };
        loop {
            let killed = dice.one_in(6).then(|| dice.millis(1, 150));
            let Err(said) = carry_out(tools, &task, killed, &mut done) else { break };
            done.failed += 1;
            let passing = [
                KILLED,
                "no master at",
                "closed the connection",
                "database does not answer",
                "Connection reset",
            ];
            let passing = passing.iter().any(|word| said.contains(word))
                // the page follows: the database took longer to come back
                || said.contains("its page is not written yet");
            assert!(passing, "an operator cannot know what to do: {said}");
            std::thread::sleep(Duration::from_millis(150));
        }
    }
    done
}

/// What a tool says that was killed.
const KILLED: &str = "killed by the test";

/// Runs the tool; or kills it in the middle.
fn carry_out(tools: &Toolbox, task: &Task, killed: Option<Duration>, done: &mut Done) -> Result<(), String> {
    let (tool, arguments) = match task {
        Task::Import(path, _) => ("piw-import", vec!["-y", path.to_str().unwrap()]),
        Task::Remove(package, skip) => {
            done.touched.insert(package.clone());
            if *skip {
                done.skipped.insert(package.clone());
                ("piw-remove", vec!["-y", package, "--skip=a test"])
            } else {
                ("piw-remove", vec!["-y", package])
            }
        }
    };
    let mut command = tools.command(tool, &arguments);
    if let Some(after) = killed {
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(after);
        child.kill().unwrap();
        child.wait().unwrap();
        done.killed += 1;
        return Err(KILLED.to_owned());
    }
    let output = command.output().unwrap();
    if !output.status.success() {
        return Err(text(&output));
    }
    match task {
        Task::Import(path, sha256) => {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            done.imported.insert(name, *sha256);
            done.imports += 1;
        }
        Task::Remove(package, _) => {
            done.imported.retain(|name, _| !name.starts_with(&format!("{package}-")));
            done.removals += 1;
        }
    }
    Ok(())
}
