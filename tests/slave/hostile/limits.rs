//! What takes all that it can get.

use piwheels::wire::slave::BuildEnd::{DiskLimit, LogLimit, OutOfMemory, ProcessLimit, WheelLimit};

use super::{HANGING, HANGING_LIMITS, case, endure};

#[test]
fn processes_are_limited() {
    let last = "it had more than 60 processes and threads; all its processes were killed";
    let cases = [
        case("bomb", "evil.bomb()", ProcessLimit, last),
        case("plainbomb", "while True: os.fork()", ProcessLimit, last),
        case("threads", "evil.threads()", ProcessLimit, last),
    ];
    endure(&["--process-limit", "60"], &cases);
}

#[test]
fn the_disk_is_limited() {
    let last = "it wrote more than 67108864 bytes to the disk; all its processes were killed";
    let cases = [
        case("files", "evil.many_files()", DiskLimit, last),
        case(
            "file",
            "evil.write(os.environ['TMPDIR'] + '/file', evil.BOUND)",
            DiskLimit,
            "a file would have had more than 67108864 bytes",
        ),
        case("unlinked", "evil.files_without_names()", DiskLimit, last),
        case("deep", "evil.files_in_the_deep()", DiskLimit, last),
    ];
    endure(&["--disk-limit", "64M"], &cases);
}

#[test]
fn memory_is_limited() {
    let last = "it used more than 314572800 bytes of memory; all its processes were killed";
    let cases = [
        case("hog", "evil.take_bit_by_bit()", OutOfMemory, "memory"),
        case("hogs", "evil.take_with_many()", OutOfMemory, last),
        case("headless", "evil.take_without_a_head()", OutOfMemory, last),
        case("memfiles", "evil.take_as_files()", OutOfMemory, last),
        case("segments", "evil.take_as_segments()", OutOfMemory, last),
    ];
    endure(&["--memory-limit", "300M"], &cases);
}

#[test]
fn what_is_printed_and_what_is_made_is_limited() {
    let cases = [
        case(
            "shouts",
            "while True:\n    say('x' * 1000)",
            LogLimit,
            "it printed more than 262144 bytes; all its",
        ),
        case(
            "large",
            "return make(directory, 100000)",
            WheelLimit,
            "the wheel \"large-1.0-py3-none-any.whl\" is larger than 1048576 bytes",
        ),
        case(
            "endless",
            "with open(evil.OUT + '/x-1.0-py3-none-any.whl', 'w') as f:\n    f.truncate(1 << 33)\nreturn make(directory)",
            WheelLimit,
            "the wheel \"x-1.0-py3-none-any.whl\" is larger than",
        ),
    ];
    endure(&["--output-limit", "256K", "--wheel-limit", "1M"], &cases);
}

#[test]
fn time_and_silence_are_limited() {
    endure(&HANGING_LIMITS, &HANGING);
}
