//! The system calls that neither std nor nix has a safe form of: the only unsafe code of the package, each call with the
//! reason why it is sound. Everything here is called by the launcher, which has one thread and is about to become another
//! program, except where it says otherwise.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;
use nix::libc;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{ForkResult, fork as nix_fork};

use super::seccomp::Instruction;

/// Numbers that are the same on every architecture. Of an argument that is narrower than a register the kernel looks at no
/// more bits than it has (SYSCALL_DEFINE), whatever stands in the others.
const LANDLOCK_CREATE_RULESET: libc::c_long = 444;
const LANDLOCK_ADD_RULE: libc::c_long = 445;
const LANDLOCK_RESTRICT_SELF: libc::c_long = 446;
const LANDLOCK_CREATE_RULESET_VERSION: u32 = 1;
const LANDLOCK_RULE_PATH_BENEATH: libc::c_int = 1;

/// fork(2), for a process with one thread; for others EINVAL.
pub(super) fn fork() -> nix::Result<ForkResult> {
    // with one thread this does nothing (unshare(2))
    unshare(CloneFlags::CLONE_THREAD)?;
    // SAFETY: this process has one thread, so that no lock is held by another one which the child would not have.
    unsafe { nix_fork() }
}

/// Brings up the loopback interface of the present network namespace.
pub(super) fn loopback_up() -> io::Result<()> {
    // SAFETY: socket(2) takes no pointer; the descriptor is new, and owned by nobody else.
    let socket = unsafe {
        let fd = libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0);
        OwnedFd::from_raw_fd(Errno::result(fd)?)
    };
    // SAFETY: an ifreq is bytes, numbers and pointers that may be null: zeros are one.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (to, from) in request.ifr_name.iter_mut().zip(b"lo") {
        *to = *from as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = (libc::IFF_UP | libc::IFF_RUNNING) as libc::c_short;
    // SAFETY: SIOCSIFFLAGS reads one ifreq, writes none, and it lives until the call returns.
    Errno::result(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &request) })?;
    Ok(())
}

/// Has the kernel run this program before every system call of this process and of all that it starts.
pub(super) fn filter_system_calls(program: &[Instruction]) -> io::Result<()> {
    let filter: Vec<libc::sock_filter> =
        program.iter().map(|i| libc::sock_filter { code: i.code, jt: i.jt, jf: i.jf, k: i.k }).collect();
    let program = libc::sock_fprog {
        len: u16::try_from(filter.len()).map_err(|_| io::ErrorKind::InvalidInput)?,
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: the kernel copies the program, which lives until the call returns, and checks it before it uses it.
    Errno::result(unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER as libc::c_ulong,
            &raw const program,
            0 as libc::c_ulong,
            0 as libc::c_ulong,
        )
    })?;
    Ok(())
}

/// The version of Landlock that the kernel has; it may be called by any thread.
pub(super) fn landlock_version() -> io::Result<u32> {
    // SAFETY: with this flag the kernel reads no attributes: the pointer is null and the size 0 as it demands.
    let version = unsafe {
        libc::syscall(
            LANDLOCK_CREATE_RULESET,
            std::ptr::null::<libc::c_void>(),
            0_usize,
            LANDLOCK_CREATE_RULESET_VERSION,
        )
    };
    Ok(u32::try_from(Errno::result(version)?).unwrap_or(0))
}

/// What a ruleset of Landlock governs (struct landlock_ruleset_attr).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(super) struct Ruleset {
    /// Actions on files that are refused unless a rule allows them.
    pub(super) handled_files: u64,
    /// The same for TCP.
    pub(super) handled_net: u64,
    /// What does not reach out of the sandbox at all.
    pub(super) scoped: u64,
}

/// struct landlock_path_beneath_attr.
#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: i32,
}

/// Makes a ruleset; `known` is how many of its bytes this kernel's version knows.
pub(super) fn landlock_ruleset(ruleset: &Ruleset, known: usize) -> io::Result<OwnedFd> {
    assert!(known <= size_of::<Ruleset>());
    // SAFETY: the kernel reads `known` bytes, which the struct has and which are no padding.
    let fd = unsafe { libc::syscall(LANDLOCK_CREATE_RULESET, &raw const *ruleset, known, 0_u32) };
    let fd = i32::try_from(Errno::result(fd)?).map_err(|_| io::ErrorKind::InvalidData)?;
    // SAFETY: the descriptor is new, and owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Allows these actions on what an open file or directory is, and is above.
pub(super) fn landlock_allow(ruleset: &OwnedFd, path: &OwnedFd, allowed: u64) -> io::Result<()> {
    let rule = PathBeneath { allowed, parent: path.as_raw_fd() };
    // SAFETY: the kernel reads one struct landlock_path_beneath_attr, packed as this one, which lives until the call returns.
    Errno::result(unsafe {
        libc::syscall(
            LANDLOCK_ADD_RULE,
            ruleset.as_raw_fd(),
            LANDLOCK_RULE_PATH_BENEATH,
            &raw const rule,
            0_u32,
        )
    })?;
    Ok(())
}

/// Puts this process, and all that it starts, under the ruleset. Needs `no_new_privs`.
pub(super) fn landlock_enforce(ruleset: &OwnedFd) -> io::Result<()> {
    // SAFETY: no pointers, and what it forbids is answered with errors.
    Errno::result(unsafe { libc::syscall(LANDLOCK_RESTRICT_SELF, ruleset.as_raw_fd(), 0_u32) })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_with_more_threads_does_not_fork() {
        std::thread::scope(|scope| {
            let forked = scope.spawn(|| match fork() {
                Err(Errno::EINVAL) => "refused",
                Err(_) => "another error",
                // whoever it is: two processes would run the tests
                Ok(_) => std::process::abort(),
            });
            assert_eq!(forked.join().unwrap(), "refused");
        });
    }
}
