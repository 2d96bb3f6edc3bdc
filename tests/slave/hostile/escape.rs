//! What tries to outlive its build.

use nix::sys::signal::Signal;
use piwheels::wire::slave::BuildEnd::{Built, Failed, OutOfMemory};

use super::weak::{WEAKEST, Weak};
use super::{Case, Den, ESCAPING, case, endure};
use crate::rig::{processes, wait_until};

#[test]
fn nothing_of_a_build_outlives_it() {
    let more = [
        Case {
            says: &["littered /tmp", "littered /dev/shm", "no litter in / "],
            ..case("litters", "evil.litter(say)\nreturn make(directory)", Built, "litters-1.0")
        },
        case("sticks", "evil.bad_trees()\nreturn make(directory)", Built, "sticks-1.0"),
        // the first process of the sandbox hears no signal from inside
        case("regicide", "evil.regicide()\nreturn make(directory)", Built, "regicide-1.0"),
        case("murders", "os.kill(-1, 15)\ntime.sleep(1000)", Failed, "pip was killed by SIGTERM"),
        case("massacre", "os.kill(-1, 9)\ntime.sleep(1000)", OutOfMemory, "pip was killed, as Linux does"),
    ];
    let cases: Vec<Case> = ESCAPING.into_iter().chain(more).collect();
    endure(&[], &cases);
}

/// A slave that is killed can do nothing for its builds any more.
#[test]
fn nothing_of_a_build_outlives_its_slave() {
    for weak in [Weak::default(), WEAKEST] {
        let mut den = Den::new();
        let Some(before) = weak.command() else { continue };
        den.add("stays", "evil.flee()\nevil.deaf()\nsay('here to stay')\nevil.stay()");
        den.start(&before, &[]);
        let mut peer = den.peer.take().unwrap();
        peer.build("stays");
        peer.log_until(&mut Vec::new(), "here to stay");
        let work = den.rig.work();
        assert!(
            processes(work.to_str().unwrap()).len() > 3,
            "the slave, a launcher, pip, the backend and more"
        );
        den.slave.as_ref().unwrap().signal(Signal::SIGKILL);
        wait_until("everything to end", || processes(work.to_str().unwrap()).is_empty());
        // who comes next clears the place
        assert_eq!(den.rig.left(), ["build-7"]);
        den.slave = None;
        den.start(&before, &[]);
        assert_eq!(den.rig.left(), [""; 0]);
    }
}
