//! What tries to outlive its build.

use piwheels::wire::slave::BuildEnd::{Built, Failed, OutOfMemory};

use super::{Case, case, endure};

#[test]
fn nothing_of_a_build_outlives_it() {
    let cases = [
        case("flees", "evil.flee()\nreturn make(directory)", Built, "flees-1.0-py3-none-any.whl ("),
        case("headless", "evil.without_a_head()\nreturn make(directory)", Built, "headless-1.0"),
        case("holds", "evil.hold_the_log()\nreturn make(directory)", Built, "holds-1.0"),
        case("exchanges", "evil.exchange(make)\nreturn make(directory)", Built, "exchanges-1.0"),
        Case {
            says: &["littered /tmp", "littered /dev/shm", "no litter in / "],
            ..case("litters", "evil.litter(say)\nreturn make(directory)", Built, "litters-1.0")
        },
        case("sticks", "evil.bad_trees()\nreturn make(directory)", Built, "sticks-1.0"),
        case(
            "influences",
            "evil.to_influence()\nevil.put('NAME-1.0-1-py3-none-any.whl', METADATA='Name: x')\nreturn make(directory)",
            piwheels::wire::slave::BuildEnd::BadWheel,
            "its METADATA says that it is 'x'",
        ),
        // the first process of the sandbox hears no signal from inside
        case("regicide", "evil.regicide()\nreturn make(directory)", Built, "regicide-1.0"),
        case("murders", "os.kill(-1, 15)\ntime.sleep(1000)", Failed, "pip was killed by SIGTERM"),
        case("massacre", "os.kill(-1, 9)\ntime.sleep(1000)", OutOfMemory, "pip was killed, as Linux does"),
    ];
    endure(&[], &cases);
}
