//! The file system that a build sees: a new root, made of what is listed and of nothing else.
//!
//! The system's own directories and what the plan names are there, read-only; the build's directories are there under
//! their own names, writable; /tmp, /var/tmp and /dev/shm are the build's. Homes, /run, /srv and everything else of the
//! machine are not there at all. Made by the sandbox's first process, in its own mount namespace.

use std::fs::{self, File};

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, pivot_root};

use super::Plan;

/// Of the root directory, what a build may read.
const SYSTEM: [&str; 10] = ["bin", "etc", "gnu", "lib", "lib32", "lib64", "libx32", "nix", "opt", "usr"];
/// `sbin` beside them, and `sys`, where programs read how many processors there are.
const MORE: [&str; 2] = ["sbin", "sys"];
/// Of /dev, what builds use.
pub(super) const DEVICES: [&str; 6] = ["full", "null", "random", "tty", "urandom", "zero"];
const DEVICE_LINKS: [(&str, &str); 4] = [
    ("fd", "/proc/self/fd"),
    ("stdin", "/proc/self/fd/0"),
    ("stdout", "/proc/self/fd/1"),
    ("stderr", "/proc/self/fd/2"),
];

const NONE: Option<&str> = None;

/// A failed step, for people.
type Step = Result<(), String>;

/// Makes the new root and enters it. On failure nothing but the present mount namespace has changed.
pub(super) fn enter(plan: &Plan) -> Step {
    let root = &plan.root;
    let flags = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    step("keep mounts to itself", mount(NONE, "/", NONE, flags, NONE))?;
    let restricted = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
    step("mount a new root", mount(Some("root"), root, Some("tmpfs"), restricted, Some("size=4m,mode=755")))?;
    for name in SYSTEM.into_iter().chain(MORE) {
        show_system(root, name)?;
    }
    devices(root)?;
    let proc = root.join("proc");
    step("make a place for /proc", fs::create_dir_all(&proc))?;
    let flags = restricted | MsFlags::MS_NOEXEC;
    step("mount /proc", mount(Some("proc"), &proc, Some("proc"), flags, NONE))?;
    for place in ["tmp", "var/tmp"] {
        bind(root, &plan.tmp, &Path::new("/").join(place))?;
    }
    // behind those, since they may lie in /tmp
    for path in plan.read.iter().filter(|path| !is_system(path)) {
        bind_read_only(root, path)?;
    }
    for path in &plan.write {
        bind(root, path, path)?;
    }
    for path in &plan.hide {
        hide(root, path)?;
    }
    let read_only = MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | restricted;
    step("make the new root read-only", mount(NONE, root, NONE, read_only, NONE))?;
    // the old root then lies on top of the new one, and goes from there
    step("enter the new root", chdir(root))?;
    step("enter the new root", pivot_root(".", "."))?;
    step("leave the old root", umount2(".", MntFlags::MNT_DETACH))?;
    step("enter the new root", chdir("/"))
}

fn step<E: std::fmt::Display>(what: &str, done: Result<(), E>) -> Step {
    done.map_err(|e| format!("cannot {what}: {e}"))
}

/// Whether a path, followed to its end, is in what every build sees.
pub(super) fn is_system(path: &Path) -> bool {
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let within = |path: &Path| {
        path.strip_prefix("/").is_ok_and(|rest| SYSTEM.iter().any(|name| rest.starts_with(name)))
    };
    within(path) && within(&real)
}

/// The directories of [`SYSTEM`] and [`MORE`] that this machine has.
pub(super) fn system() -> impl Iterator<Item = PathBuf> {
    SYSTEM.into_iter().chain(MORE).map(|name| Path::new("/").join(name)).filter(|path| path.exists())
}

/// A directory of the old root under the same name in the new one; a link as a link.
fn show_system(root: &Path, name: &str) -> Step {
    let path = Path::new("/").join(name);
    let Ok(metadata) = fs::symlink_metadata(&path) else { return Ok(()) };
    if metadata.is_symlink() {
        let done = fs::read_link(&path).and_then(|target| symlink(target, root.join(name)));
        return step(&format!("show {}", path.display()), done);
    }
    bind_read_only(root, &path)
}

/// Mounts `path` of the old root as `place` of the new one, with all that is mounted below it.
fn bind(root: &Path, path: &Path, place: &Path) -> Step {
    let to = root.join(place.strip_prefix("/").unwrap_or(place));
    let made = if path.is_dir() {
        fs::create_dir_all(&to)
    } else {
        to.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| match to.exists() {
            true => Ok(()),
            false => File::create(&to).map(drop),
        })
    };
    step(&format!("make a place for {}", path.display()), made)?;
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    step(&format!("show {}", path.display()), mount(Some(path), &to, NONE, flags, NONE))
}

/// The same under its own name, to be read only.
fn bind_read_only(root: &Path, path: &Path) -> Step {
    bind(root, path, path)?;
    make_read_only(&root.join(path.strip_prefix("/").unwrap_or(path)))
}

/// An empty file in a file's place, if it can be seen.
fn hide(root: &Path, path: &Path) -> Step {
    let to = root.join(path.strip_prefix("/").unwrap_or(path));
    if fs::symlink_metadata(&to).is_err() {
        return Ok(());
    }
    step(&format!("hide {}", path.display()), mount(Some("/dev/null"), &to, NONE, MsFlags::MS_BIND, NONE))
}

fn devices(root: &Path) -> Step {
    let dev = root.join("dev");
    let shm = dev.join("shm");
    step("make /dev", fs::create_dir_all(&shm))?;
    for name in DEVICES {
        bind(root, &Path::new("/dev").join(name), &Path::new("/dev").join(name))?;
    }
    for (name, target) in DEVICE_LINKS {
        step("make /dev", symlink(target, dev.join(name)))?;
    }
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    step("mount /dev/shm", mount(Some("shm"), &shm, Some("tmpfs"), flags, Some("size=64m,mode=1777")))?;
    // for builds that want a terminal; there is none to be had without
    let pts = dev.join("pts");
    let options = Some("newinstance,ptmxmode=0666,mode=620");
    let terminal = fs::create_dir(&pts).map_err(|e| e.to_string()).and_then(|()| {
        mount(Some("devpts"), &pts, Some("devpts"), MsFlags::MS_NOSUID | MsFlags::MS_NOEXEC, options)
            .map_err(|e| e.to_string())
    });
    if terminal.is_ok() {
        step("make /dev", symlink("pts/ptmx", dev.join("ptmx")))?;
    }
    Ok(())
}

/// Makes what is mounted at this place and below it read-only. Each mount keeps what it had: in a user namespace
/// nothing may be taken off a mount.
fn make_read_only(top: &Path) -> Step {
    let table =
        fs::read_to_string("/proc/self/mountinfo").map_err(|e| format!("cannot read the mounts: {e}"))?;
    for (place, options) in table.lines().filter_map(mount_line) {
        if !place.starts_with(top) {
            continue;
        }
        let flags =
            MsFlags::MS_REMOUNT | MsFlags::MS_BIND | MsFlags::MS_RDONLY | MsFlags::MS_NOSUID | kept(&options);
        step(&format!("make {} read-only", place.display()), mount(NONE, &place, NONE, flags, NONE))?;
    }
    Ok(())
}

/// Of a line of /proc/self/mountinfo: the place, and the options of the mount.
fn mount_line(line: &str) -> Option<(PathBuf, String)> {
    let mut fields = line.split(' ').skip(4);
    Some((unescape(fields.next()?), fields.next()?.to_owned()))
}

/// Blanks, tabs, newlines and backslashes stand there as three octal digits.
fn unescape(text: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, behind)) = rest.split_first() {
        let code = (*first == b'\\')
            .then(|| std::str::from_utf8(behind.get(..3)?).ok())
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        (bytes, rest) = match code {
            Some(code) => ([bytes, vec![code]].concat(), &behind[3..]),
            None => ([bytes, vec![*first]].concat(), behind),
        };
    }
    std::ffi::OsString::from_vec(bytes).into()
}

fn kept(options: &str) -> MsFlags {
    let mut flags = MsFlags::empty();
    for option in options.split(',') {
        flags |= match option {
            "nodev" => MsFlags::MS_NODEV,
            "noexec" => MsFlags::MS_NOEXEC,
            "noatime" => MsFlags::MS_NOATIME,
            "nodiratime" => MsFlags::MS_NODIRATIME,
            "relatime" => MsFlags::MS_RELATIME,
            _ => MsFlags::empty(),
        };
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_mounts_is_read() {
        let line = "36 35 98:0 /mnt1 /mnt\\0402\\134x rw,nosuid,relatime master:1 - ext3 /dev/root rw,errors=continue";
        let (place, options) = mount_line(line).unwrap();
        assert_eq!(place, Path::new("/mnt 2\\x"));
        assert_eq!(kept(&options), MsFlags::MS_RELATIME);
        assert_eq!(mount_line("36 35"), None);
        assert_eq!(unescape("a\\9"), Path::new("a\\9"));
    }

    #[test]
    fn what_every_build_sees_is_known_by_its_place() {
        assert!(is_system(Path::new("/usr/bin/python3")) && is_system(Path::new("/usr/lib")));
        assert!(!is_system(Path::new("/home/pi/python")) && !is_system(Path::new("/usr/../home")));
        assert!(!is_system(Path::new("/")) && !is_system(Path::new("/usrlocal")));
    }
}
