//! The system calls that no build needs, and that have been the way out of many a sandbox: mounts, other processes'
//! memory, kernel keys and modules, namespaces in namespaces, clocks. They fail with EPERM, as they would without rights.
//!
//! Pure: it makes a program of classic BPF (seccomp(2), linux/filter.h); `sys.rs` gives it to the kernel. Known for
//! x86-64, 64-bit and 32-bit ARM; elsewhere there is no program.

use nix::libc;

/// One instruction of classic BPF (struct sock_filter).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Instruction {
    pub(super) code: u16,
    /// Instructions to skip when the comparison holds, and when it does not.
    pub(super) jt: u8,
    pub(super) jf: u8,
    pub(super) k: u32,
}

const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const GREATER_OR_EQUAL: u16 = 0x35; // BPF_JMP | BPF_JGE | BPF_K
const ANY_BIT: u16 = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const RETURN: u16 = 0x06; // BPF_RET | BPF_K

const ALLOW: u32 = 0x7fff_0000;
const REFUSE: u32 = 0x0005_0000 | libc::EPERM as u32;
const NO_SUCH_FAMILY: u32 = 0x0005_0000 | libc::EAFNOSUPPORT as u32;
const UNKNOWN: u32 = 0x0005_0000 | libc::ENOSYS as u32;

// struct seccomp_data, little-endian: number, architecture, instruction pointer, six arguments of 64 bits
const NUMBER: u32 = 0;
const ARCHITECTURE: u32 = 4;
const ARGUMENT: [u32; 2] = [16, 24];

/// CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET.
const NEW_NAMESPACES: u32 = 0x7e02_0000;
/// Pushes characters into a terminal's input, as if they had been typed there.
const TIOCSTI: u32 = 0x5412;
const TIOCLINUX: u32 = 0x541c;
/// The families of sockets that builds have: AF_UNIX, AF_INET, AF_INET6, and AF_NETLINK, by which C libraries ask for
/// addresses. Others reach past network namespaces (AF_VSOCK: the machine's host) or deep into the kernel (AF_ALG).
const FAMILIES: [u32; 4] = [1, 2, 10, 16];

#[cfg(target_arch = "x86_64")]
const OWN: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const OWN: u32 = 0xc000_00b7;
#[cfg(target_arch = "arm")]
const OWN: u32 = 0x4000_0028;

/// Numbers from 424 on are the same on every architecture.
const REFUSED_EVERYWHERE: [u32; 11] = [
    425, 426, 427, // io_uring_*: does most of what a filter could refuse, unseen by it
    428, 429, 430, 431, 432, 433, 442, // open_tree, move_mount, fs*, mount_setattr
    438, // pidfd_getfd
];
const CLONE3: u32 = 435;

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
const REFUSED: [libc::c_long; 36] = [
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_setns,
    libc::SYS_unshare,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_perf_event_open,
    libc::SYS_bpf,
    libc::SYS_userfaultfd,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_adjtimex,
    libc::SYS_clock_adjtime,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    libc::SYS_lookup_dcookie,
    libc::SYS_nfsservctl,
];

/// The program for this architecture; none where its numbers are not known.
pub(super) fn program() -> Option<Vec<Instruction>> {
    #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm")))]
    return None;
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64", target_arch = "arm"))]
    {
        let own = REFUSED.iter().filter_map(|number| u32::try_from(*number).ok());
        let refused: Vec<u32> = own.chain(REFUSED_EVERYWHERE).collect();
        let looked_at = [libc::SYS_clone, libc::SYS_ioctl, libc::SYS_socket].map(|number| number as u32);
        Some(assemble(OWN, &refused, looked_at))
    }
}

fn assemble(own: u32, refused: &[u32], [clone, ioctl, socket]: [u32; 3]) -> Vec<Instruction> {
    let next = |code, k| Instruction { code, jt: 0, jf: 0, k };
    // a comparison that holds runs into the answer behind it, one that does not skips that
    let answer = |code, k, answer| [Instruction { code, jt: 0, jf: 1, k }, next(RETURN, answer)];
    let mut program = vec![
        next(LOAD, ARCHITECTURE),
        // another architecture's numbers mean other things
        Instruction { code: EQUAL, jt: 1, jf: 0, k: own },
        next(RETURN, UNKNOWN),
        next(LOAD, NUMBER),
    ];
    // x32, which is x86-64 by its architecture
    program.extend(answer(GREATER_OR_EQUAL, 0x4000_0000, UNKNOWN));
    // its flags are behind a pointer, which a filter cannot follow; every C library goes on with clone then
    program.extend(answer(EQUAL, CLONE3, UNKNOWN));
    for number in refused {
        program.extend(answer(EQUAL, *number, REFUSE));
    }
    program.push(Instruction { code: EQUAL, jt: 0, jf: 4, k: clone });
    program.push(next(LOAD, ARGUMENT[0]));
    program.extend(answer(ANY_BIT, NEW_NAMESPACES, REFUSE));
    program.push(next(RETURN, ALLOW));
    program.push(Instruction { code: EQUAL, jt: 0, jf: 6, k: ioctl });
    program.push(next(LOAD, ARGUMENT[1]));
    program.extend(answer(EQUAL, TIOCSTI, REFUSE));
    program.extend(answer(EQUAL, TIOCLINUX, REFUSE));
    program.push(next(RETURN, ALLOW));
    program.push(Instruction { code: EQUAL, jt: 0, jf: 2 + 2 * FAMILIES.len() as u8, k: socket });
    program.push(next(LOAD, ARGUMENT[0]));
    for family in FAMILIES {
        program.extend(answer(EQUAL, family, ALLOW));
    }
    program.push(next(RETURN, NO_SUCH_FAMILY));
    program.push(next(RETURN, ALLOW));
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel would do about a system call.
    fn run(program: &[Instruction], arch: u32, number: u32, arguments: [u32; 2]) -> u32 {
        let load = |k| match k {
            NUMBER => number,
            ARCHITECTURE => arch,
            16 => arguments[0],
            24 => arguments[1],
            other => panic!("nothing at {other}"),
        };
        let (mut at, mut value) = (0, 0);
        loop {
            let i = program[at];
            at += 1;
            let holds = match i.code {
                LOAD => {
                    value = load(i.k);
                    continue;
                }
                RETURN => return i.k,
                EQUAL => value == i.k,
                GREATER_OR_EQUAL => value >= i.k,
                ANY_BIT => value & i.k != 0,
                other => panic!("no instruction {other}"),
            };
            at += usize::from(if holds { i.jt } else { i.jf });
        }
    }

    #[test]
    fn what_no_build_needs_is_refused_and_the_rest_is_not() {
        let program = assemble(7, &[40, 41, 442], [56, 16, 41_000]);
        let call = |number, arguments| run(&program, 7, number, arguments);
        for number in [40, 41, 442] {
            assert_eq!(call(number, [0, 0]), REFUSE);
        }
        for number in [0, 1, 39, 57, 300] {
            assert_eq!(call(number, [0, 0]), ALLOW, "{number}");
        }
        assert_eq!(call(56, [libc::CLONE_VM as u32 | libc::SIGCHLD as u32, 0]), ALLOW, "a thread, a child");
        assert_eq!(call(56, [libc::CLONE_NEWUSER as u32, 0]), REFUSE);
        assert_eq!(call(56, [libc::CLONE_NEWNET as u32 | libc::SIGCHLD as u32, 0]), REFUSE);
        assert_eq!(call(16, [0, 0x5401]), ALLOW);
        assert_eq!(call(16, [0, TIOCSTI]), REFUSE);
        assert_eq!(call(16, [0, TIOCLINUX]), REFUSE);
        assert_eq!(call(41_000, [libc::AF_INET6 as u32, 1]), ALLOW);
        assert_eq!(call(41_000, [libc::AF_VSOCK as u32, 1]), NO_SUCH_FAMILY);
        assert_eq!(call(CLONE3, [0, 0]), UNKNOWN);
        assert_eq!(call(0x4000_0001, [0, 0]), UNKNOWN);
        assert_eq!(run(&program, 8, 0, [0, 0]), UNKNOWN, "another architecture");
    }
}
