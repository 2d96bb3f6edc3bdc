//! Everything that can be wrong with this machine is found out before the slave connects to anybody: its directory, its
//! interpreter, the walls of its sandbox.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::builder::command::{environment, named_files};
use super::builder::{BUILD_DIR_PREFIX, Limits, Settings};
use super::python::Python;
use super::sandbox::Plan;
use super::sandbox::probe::{self, Strength};
use super::workdir::Workdir;
use crate::domain::walls;
use crate::wire::slave::{Board, Wall};
use crate::wire::{List, Text};

/// What the operator wants of the builds.
#[derive(Clone, Debug)]
pub struct Wishes {
    /// The interpreter, a path or a name to look for.
    pub python: PathBuf,
    /// The directory to build in; none: one of its own.
    pub dir: Option<PathBuf>,
    /// What one build may use.
    pub limits: Limits,
    /// The most that is kept of one log, in bytes.
    pub log_limit: u64,
    /// Whether builds may use the network.
    pub network: bool,
    /// Whether a wheel's modules must be importable.
    pub import_test: bool,
    /// Walls without which nothing is built.
    pub require: Walls,
    /// What builds may read beside the system's own directories.
    pub expose: Paths,
    /// Files that builds must not see: the slave's key.
    pub hide: Vec<PathBuf>,
}

/// A slave that could build.
#[derive(Debug)]
pub struct Ready {
    /// Its directory, locked.
    pub workdir: Workdir,
    /// Its interpreter.
    pub python: Python,
    /// Its walls.
    pub strength: Strength,
    /// How it builds.
    pub settings: Settings,
}

/// Why a slave cannot build: an exit code (1 this machine, 2 what was asked for) and a line for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub u8, pub String);

/// Makes ready to build, or says why not; then nothing is left of it.
pub fn prepare(wishes: &Wishes) -> Result<Ready, Refusal> {
    if nix::unistd::geteuid().is_root() {
        let line = "builds run strangers' code and must not run as root: start it as a user of its own \
                    (for example: runuser -u piwheels -- piw-slave)";
        return Err(Refusal(1, line.to_owned()));
    }
    // where there are few walls a build has this process's user, and could look into it: the key, the environment
    nix::sys::prctl::set_dumpable(false)
        .map_err(|e| Refusal(1, format!("cannot keep others from looking into this process: {e}")))?;
    let workdir = Workdir::open(wishes.dir.as_deref()).map_err(|line| Refusal(2, line))?;
    // what is left there by a slave that was killed is cleared like a build
    let trial = workdir.path().join(format!("{BUILD_DIR_PREFIX}0"));
    let found = examine(wishes, &workdir, &trial);
    let cleared = super::trees::remove(&trial);
    match (found, cleared) {
        (Ok((python, strength, settings)), Ok(())) => Ok(Ready { workdir, python, strength, settings }),
        (Ok(_), Err(e)) => {
            workdir.close();
            Err(Refusal(1, format!("cannot remove {}: {e}", trial.display())))
        }
        (Err(refusal), _) => {
            workdir.close();
            Err(refusal)
        }
    }
}

fn examine(
    wishes: &Wishes,
    workdir: &Workdir,
    trial: &Path,
) -> Result<(Python, Strength, Settings), Refusal> {
    let usage = |line| Refusal(2, line);
    for name in ["", "home", "tmp", "root"] {
        fs::create_dir(trial.join(name))
            .map_err(|e| Refusal(1, format!("cannot make {}: {e}", trial.display())))?;
    }
    let python = Python::ask(&wishes.python, trial).map_err(usage)?;
    let strength = Strength::find(trial, wishes.network).map_err(|line| Refusal(1, line))?;
    let missing = strength.missing(&wishes.require.0);
    if !missing.is_empty() {
        return Err(usage(format!("what --require asks for cannot be had here: {}", missing.join("; "))));
    }
    if !wishes.network && strength.plan.network {
        let reasons = strength.missing(&[Wall::NetOff]).join("; ");
        return Err(usage(format!("--net off cannot be had here: {reasons}")));
    }
    let mut plan = strength.plan.clone();
    plan.read = readable(wishes, &python);
    plan.hide.clone_from(&wishes.hide);
    try_python(&python, &plan, trial).map_err(usage)?;
    let settings = Settings {
        interpreter: format!("{} {}, pip {}", python.abi_tag, python.platform_tag, python.pip),
        versions: [python.version.clone(), python.pip.clone(), python.compiler.clone()],
        python: python.executable.clone(),
        dir: workdir.path().to_owned(),
        limits: wishes.limits,
        log_limit: wishes.log_limit,
        network: wishes.network,
        import_test: wishes.import_test,
        plan,
        groups: strength.groups.clone(),
    };
    Ok((python, strength, settings))
}

/// What every build may read: the interpreter, what variables and links of the system name, what the operator names.
fn readable(wishes: &Wishes, python: &Python) -> Vec<PathBuf> {
    let mut paths = python.places.clone();
    paths.extend(named_files(|name| std::env::var_os(name)));
    // links out of /etc, to where the machine's network keeps them
    paths
        .extend(["/etc/resolv.conf", "/etc/localtime"].iter().filter_map(|link| fs::canonicalize(link).ok()));
    paths.extend(wishes.expose.0.iter().cloned());
    paths.sort();
    paths.dedup();
    let mut kept: Vec<PathBuf> = Vec::new();
    for path in paths {
        // sorted: whatever a path lies in comes before it
        if path.exists() && !kept.iter().any(|above| path.starts_with(above)) {
            kept.push(path);
        }
    }
    kept
}

/// An interpreter that runs may not do so where only the sandbox's files are.
fn try_python(python: &Python, plan: &Plan, trial: &Path) -> Result<(), String> {
    let (root, tmp, home) = (trial.join("root"), trial.join("tmp"), trial.join("home"));
    let plan = Plan { root, write: vec![tmp.clone(), home.clone()], tmp: tmp.clone(), ..plan.clone() };
    let tried = probe::run(&plan, &python.executable, |command| {
        command.args(["-c", "import pip, zipfile, ssl"]).env_clear();
        command.envs(environment(&home, &tmp, true, |name| std::env::var_os(name)));
    });
    tried.map_err(|reason| {
        let path = python.executable.display();
        format!(
            "the interpreter {path} does not run in the sandbox: {reason}; --expose names what it needs to read"
        )
    })
}

/// Tells the operator what stands between builds and this machine, and warns where little does.
pub fn tell(strength: &Strength) {
    let standing: Vec<_> = strength.standing().into_iter().map(Wall::name).collect();
    log::info!("walls around builds: {}", standing.join(", "));
    for reason in strength.missing(&[Wall::Namespaces]) {
        log::warn!(
            "builds are not kept apart from this machine ({reason}): they run with this account's rights, and are only \
             killed with all that they start; 'piw-slave --check' tells more"
        );
    }
}

/// What this machine is, and the walls that stand on it, for HELLO.
pub fn board(strength: &Strength) -> Board {
    Board { machine: Text::cut(&machine()), os: Text::cut(&system()), walls: List::cut(strength.standing()) }
}

fn machine() -> String {
    let files = ["/proc/device-tree/model", "/sys/class/dmi/id/product_name"];
    let named = files.iter().filter_map(|file| fs::read_to_string(file).ok());
    let mut named =
        named.map(|name| name.trim_matches(['\0', '\n', ' ']).to_owned()).filter(|name| !name.is_empty());
    let kind = || {
        nix::sys::utsname::uname()
            .map_or_else(|_| String::new(), |u| u.machine().to_string_lossy().into_owned())
    };
    named.next().unwrap_or_else(kind)
}

/// The system's name, on a Raspberry Pi with the image that it came as, and the kernel's version.
fn system() -> String {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME=")).unwrap_or("Linux");
    let kernel = nix::sys::utsname::uname();
    let kernel =
        kernel.map_or_else(|_| String::new(), |u| format!(", Linux {}", u.release().to_string_lossy()));
    let image = fs::read_to_string("/etc/rpi-issue").unwrap_or_default();
    let image = image.lines().next().map_or_else(String::new, |line| format!(", {line}"));
    format!("{}{image}{kernel}", name.trim_matches('"'))
}

/// A list of walls by name, with commas between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walls(pub Vec<Wall>);

impl FromStr for Walls {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let names = text.split([',', ' ']).filter(|name| !name.is_empty());
        let wall = |name: &str| {
            walls::parse(name).ok_or_else(|| {
                let known: Vec<_> = Wall::ALL.iter().map(|wall| wall.name()).collect();
                format!("{name:?} is none of {}", known.join(", "))
            })
        };
        names.map(wall).collect::<Result<_, _>>().map(Self)
    }
}

/// A list of absolute paths, with commas between them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Paths(pub Vec<PathBuf>);

impl FromStr for Paths {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let paths = text.split(',').map(str::trim).filter(|path| !path.is_empty()).map(PathBuf::from);
        let paths: Vec<PathBuf> = paths.collect();
        match paths.iter().find(|path| !path.is_absolute()) {
            Some(path) => Err(format!("{} is not an absolute path", path.display())),
            None => Ok(Self(paths)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_and_what_is_none_is_named() {
        let walls = "namespaces,net-off".parse::<Walls>().unwrap();
        assert_eq!(walls.0, [Wall::Namespaces, Wall::NetOff]);
        assert!("namespaces,moat".parse::<Walls>().unwrap_err().contains("\"moat\" is none of namespaces,"));
        assert_eq!("".parse::<Walls>().unwrap(), Walls::default());
        assert_eq!("/a, /b c".parse::<Paths>().unwrap().0, [PathBuf::from("/a"), PathBuf::from("/b c")]);
        assert!("/a,b".parse::<Paths>().is_err());
    }
}
