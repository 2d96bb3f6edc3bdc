//! `piw-master --add-slave` and `--revoke`: the keys of slaves.

use std::path::Path;

use nix::fcntl::{Flock, FlockArg};

use crate::keyfile::{self, Keys};
use crate::options::{Failure, say};

/// How a running master learns of it.
const TELL: &str = "a master that runs reads the keys again when it is told: piw reload-keys";

/// Makes a key and prints it, the only time.
pub fn add(file: &Path, name: &str) -> Result<(), Failure> {
    keyfile::check_name(name).map_err(Failure::usage)?;
    let key = keyfile::draw().map_err(|e| Failure::error(format!("no randomness: /dev/urandom: {e}")))?;
    let line = keyfile::line(name, &key);
    let first = edit(file, |keys| {
        let first = keys.is_empty();
        if !keys.add(name, key) {
            let reason = format!("{name} has a key already: take it away with --revoke {name} first");
            return Err(Failure::usage(reason));
        }
        Ok(first)
    })?;
    say(&line)?;
    log::warn!("put this line into a file of the slave's, mode 0600, and start it with --key-file FILE");
    log::warn!("it is not shown again; {TELL}");
    if first {
        log::warn!(
            "it is the first key: a master that runs takes in slaves of other machines when started anew"
        );
    }
    Ok(())
}

/// Takes a key away.
pub fn revoke(file: &Path, name: &str) -> Result<(), Failure> {
    edit(file, |keys| match keys.remove(name) {
        true => Ok(()),
        false => Err(Failure::usage(format!("{name} has no key in {}", file.display()))),
    })?;
    log::warn!("{name} is refused from now on; {TELL}");
    Ok(())
}

/// One edit at a time, whole or not at all.
///
/// As root the file would be root's, and the master could not read it.
fn edit<T>(file: &Path, change: impl FnOnce(&mut Keys) -> Result<T, Failure>) -> Result<T, Failure> {
    if nix::unistd::geteuid().is_root() {
        let reason = "run this as the account that piw-master runs as (for example: runuser -u piwheels -- piw-master …)";
        return Err(Failure::error(reason));
    }
    let dir = match file.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    let failed = |e: &dyn std::fmt::Display| Failure::error(format!("{}: {e}", dir.display()));
    let handle = std::fs::File::open(dir).map_err(|e| failed(&e))?;
    let _lock = Flock::lock(handle, FlockArg::LockExclusive).map_err(|(_, e)| failed(&e))?;
    let mut keys = Keys::read_if_there(file).map_err(Failure::error)?;
    let changed = change(&mut keys)?;
    keys.write(file).map_err(Failure::error)?;
    Ok(changed)
}
