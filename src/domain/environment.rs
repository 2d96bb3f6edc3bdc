//! The systems that wheels of this farm run on, as far as markers (PEP 508) can ask for them.

use std::borrow::Cow;

use super::AbiTag;

/// A system that something is to run on, as far as it is known. Of this farm always: Linux, and CPython.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Environment {
    /// Such as (3, 11).
    pub(super) python: Option<(u16, u16)>,
    /// What `uname -m` may say there; empty where nothing is known.
    machines: Vec<String>,
}

impl Environment {
    /// Any system that the farm builds for.
    pub fn any() -> Self {
        Self::default()
    }

    /// What a wheel of this ABI and platform runs on (`linux_armv7l`; one that says nothing of a machine, such as `any`,
    /// is for all). A 32-bit system may have a 64-bit kernel, as Raspberry Pi OS has on newer boards: then `uname -m`,
    /// which is what a marker compares with, names the kernel's machine.
    pub fn of(abi: &AbiTag, platform: &str) -> Self {
        let machines = match machine(platform) {
            Some("armv6l") => ["armv6l", "armv7l", "aarch64"].map(str::to_owned).to_vec(),
            Some("armv7l") => ["armv7l", "aarch64"].map(str::to_owned).to_vec(),
            Some("i686") => ["i686", "x86_64"].map(str::to_owned).to_vec(),
            Some(machine) => vec![machine.to_owned()],
            None => Vec::new(),
        };
        Self { python: Some(abi.python()), machines }
    }

    /// Everything that a variable may be here; `None` where that is not known.
    pub(super) fn values<'a>(
        &'a self,
        variable: Variable,
        extra: Option<&'a str>,
    ) -> Option<Vec<Cow<'a, str>>> {
        let one = |text| Some(vec![Cow::Borrowed(text)]);
        match variable {
            Variable::SysPlatform => one("linux"),
            Variable::PlatformSystem => one("Linux"),
            Variable::OsName => one("posix"),
            Variable::ImplementationName => one("cpython"),
            Variable::PythonImplementation => one("CPython"),
            Variable::PythonVersion => {
                self.python.map(|(major, minor)| vec![Cow::Owned(format!("{major}.{minor}"))])
            }
            Variable::PlatformMachine if self.machines.is_empty() => None,
            Variable::PlatformMachine => Some(self.machines.iter().map(|m| Cow::Borrowed(&**m)).collect()),
            Variable::Extra => extra.and_then(one),
            // a text may name any of the versions that it can be
            Variable::PythonFullVersion | Variable::Unknown => None,
        }
    }
}

/// The machine in a platform tag: what follows the kind of system and the numbers of its C library.
fn machine(platform: &str) -> Option<&str> {
    let (_, mut rest) = platform.split('.').next()?.split_once('_')?;
    while let Some((number, behind)) = rest.split_once('_')
        && number.bytes().all(|b| b.is_ascii_digit())
    {
        rest = behind;
    }
    Some(rest)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variable {
    OsName,
    SysPlatform,
    PlatformSystem,
    PlatformMachine,
    PythonVersion,
    /// `implementation_version` too: CPython's is Python's.
    PythonFullVersion,
    ImplementationName,
    PythonImplementation,
    Extra,
    /// One that the farm knows nothing of, or nobody.
    Unknown,
}

impl Variable {
    /// The names of PEP 508, and those of before that are still met.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "os_name" | "os.name" => Self::OsName,
            "sys_platform" | "sys.platform" => Self::SysPlatform,
            "platform_system" => Self::PlatformSystem,
            "platform_machine" | "platform.machine" => Self::PlatformMachine,
            "python_version" => Self::PythonVersion,
            "python_full_version" | "implementation_version" => Self::PythonFullVersion,
            "implementation_name" => Self::ImplementationName,
            "platform_python_implementation" | "platform.python_implementation" | "python_implementation" => {
                Self::PythonImplementation
            }
            "extra" => Self::Extra,
            _ => Self::Unknown,
        }
    }

    pub(super) fn is_version(self) -> bool {
        matches!(self, Self::PythonVersion | Self::PythonFullVersion)
    }
}
