//! What markers come to, on boards that are known in part.

use super::*;
use crate::domain::AbiTag;
use proptest::prelude::*;

fn holds_in(environment: &Environment, marker: &str) -> Option<bool> {
    Marker::parse(marker).holds(environment, Some(&[]))
}

fn board(abi: &str, platform: &str) -> Environment {
    Environment::of(&AbiTag::parse(abi).unwrap(), platform)
}

#[test]
fn markers_of_other_systems_do_not_hold_on_any_board() {
    for marker in [
        "sys_platform == \"win32\"",
        " sys_platform=='win32' ",
        "'darwin' == sys_platform",
        "platform_system == 'Windows'",
        "os_name == 'nt'",
        "os.name == 'nt'",
        "os_name != 'posix'",
        "sys_platform in 'win32 cygwin'",
        "'win' in sys_platform",
        "sys_platform not in 'linux, darwin'",
        "'linux' not in sys_platform",
        "sys_platform >= 'win32'",
        "python_version >= '3.8' and sys_platform == 'win32'",
        "sys_platform == 'win32' and (python_version < '3' or os_name == 'nt')",
        "sys_platform == 'win32' or sys_platform == 'darwin'",
        "((sys_platform == 'win32') or (sys_platform == 'cygwin')) and extra == 'x'",
        "platform_system == 'linux'",
        "implementation_name == 'pypy'",
        "platform_python_implementation != 'CPython'",
        "implementation_name == sys_platform",
    ] {
        assert_eq!(Marker::parse(marker).holds(&Environment::any(), None), Some(false), "{marker}");
    }
}

#[test]
fn what_is_known_of_any_board_holds_and_what_is_not_may() {
    for (marker, expected) in [
        ("sys_platform == 'linux'", Some(true)),
        ("platform_system == 'Linux'", Some(true)),
        ("os_name == \"posix\"", Some(true)),
        ("sys_platform != 'win32'", Some(true)),
        ("sys_platform in 'linux darwin'", Some(true)),
        ("'linux' in sys_platform", Some(true)),
        ("sys_platform not in 'win32'", Some(true)),
        ("python_version < '3'", None),
        ("platform_machine == 'x86_64'", None),
        ("platform_release >= '5'", None),
        ("no_such_variable == '5'", None),
        ("sys_platform == 'win32' or python_version < '3'", None),
        // "and" binds closer than "or"
        ("os_name == 'posix' or os_name == 'nt' and sys_platform == 'win32'", Some(true)),
        ("sys_platform == 'win32' or os_name == 'posix' and python_version >= '3'", None),
        ("extra == 'sys_platform == \"win32\"'", None),
    ] {
        assert_eq!(Marker::parse(marker).holds(&Environment::any(), None), expected, "{marker}");
    }
}

#[test]
fn pythons_versions_are_compared_as_versions() {
    let python = board("cp310", "linux_armv7l");
    for (marker, expected) in [
        ("python_version >= '3.9'", Some(true)),
        ("python_version<'3.10'", Some(false)),
        ("python_version <= '3.10'", Some(true)),
        ("python_version > '3.10'", Some(false)),
        ("python_version == '3.10'", Some(true)),
        ("python_version === '3.10'", Some(true)),
        ("python_version == '3.*'", Some(true)),
        ("python_version != '3.10.*'", Some(false)),
        ("python_version ~= '3.8'", Some(true)),
        ("'3.9' <= python_version", Some(true)),
        ("'3.11' > python_version", Some(true)),
        ("python_version in '3.9, 3.10'", Some(true)),
        ("python_version not in '3.9, 3.10'", Some(false)),
        // what pip makes of a version that is none: texts
        ("python_version >= '3.9.x'", Some(false)),
        ("python_full_version >= '3.9.7'", Some(true)),
        ("python_full_version < '3.10'", Some(false)),
        ("python_full_version < '3.10.0'", Some(false)),
        ("python_full_version >= '3.10.0'", Some(true)),
        ("python_full_version < '3.10.4'", None),
        ("python_full_version >= '3.10.1'", None),
        ("python_full_version == '3.10.4'", None),
        ("python_full_version != '3.10.4'", None),
        ("python_full_version == '3.11.4'", Some(false)),
        ("python_full_version == '3.10.*'", Some(true)),
        ("python_full_version ~= '3.10.2'", None),
        ("python_full_version < '3.11.2'", Some(true)),
        ("'3.10.4' < python_full_version", None),
        ("implementation_version >= '3.9.7'", Some(true)),
        ("python_full_version in '3.10.4 3.10.5'", None),
        ("python_version < '3.10' or python_full_version < '3.10.4'", None),
        ("python_version < '3.10' and python_full_version < '3.10.4'", Some(false)),
        ("python_version >= '3.10' or python_full_version < '3.10.4'", Some(true)),
    ] {
        assert_eq!(holds_in(&python, marker), expected, "{marker}");
    }
    assert_eq!(holds_in(&board("cp313t", "linux_aarch64"), "python_version == '3.13'"), Some(true));
}

#[test]
fn a_32_bit_system_may_have_a_64_bit_kernel() {
    let is = |platform: &str, machine: &str| {
        holds_in(&board("cp311", platform), &format!("platform_machine == '{machine}'"))
    };
    for (platform, machine, expected) in [
        ("linux_armv7l", "armv7l", None),
        ("linux_armv7l", "aarch64", None),
        ("linux_armv7l", "x86_64", Some(false)),
        ("linux_armv6l", "armv7l", None),
        ("linux_i686", "x86_64", None),
        ("linux_aarch64", "aarch64", Some(true)),
        ("linux_x86_64", "x86_64", Some(true)),
        ("linux_x86_64", "AMD64", Some(false)),
        ("manylinux_2_17_x86_64", "x86_64", Some(true)),
        ("manylinux2014_aarch64.manylinux_2_17_aarch64", "aarch64", Some(true)),
        ("musllinux_1_2_riscv64", "riscv64", Some(true)),
        ("any", "x86_64", None),
    ] {
        assert_eq!(is(platform, machine), expected, "{platform} {machine}");
    }
    let arm = board("cp311", "linux_armv7l");
    assert_eq!(holds_in(&arm, "platform_machine in 'armv7l aarch64'"), Some(true));
    assert_eq!(holds_in(&arm, "platform_machine not in 'x86_64 AMD64'"), Some(true));
}

#[test]
fn an_extra_holds_for_whoever_asks_for_it() {
    let extras = |names: &[&str]| names.iter().map(|name| Extra::parse(name).unwrap()).collect::<Vec<_>>();
    let marker = Marker::parse("extra == 'Foo_Bar' and python_version >= '3.9'");
    let pi = board("cp311", "linux_armv7l");
    assert_eq!(marker.holds(&pi, Some(&[])), Some(false));
    assert_eq!(marker.holds(&pi, Some(&extras(&["other"]))), Some(false));
    assert_eq!(marker.holds(&pi, Some(&extras(&["other", "foo.bar"]))), Some(true));
    assert_eq!(marker.holds(&pi, None), None);
    let either = Marker::parse("extra == 'a' or extra == 'b'");
    assert_eq!(either.holds(&pi, Some(&extras(&["b"]))), Some(true));
    let not = Marker::parse("extra != 'a'");
    assert_eq!(not.holds(&pi, Some(&[])), Some(true));
    assert_eq!(not.holds(&pi, Some(&extras(&["a"]))), Some(false));
    assert_eq!(not.holds(&pi, Some(&extras(&["a", "b"]))), Some(true), "as pip asks: once for each");
}

#[test]
fn what_is_no_marker_is_not_judged() {
    let depth = if cfg!(miri) { 100 } else { 100_000 };
    let deep = format!("{}os_name == 'nt'{}", "(".repeat(depth), ")".repeat(depth));
    let long = vec!["os_name == 'nt'"; MAX_COMPARISONS + 1].join(" and ");
    for marker in [
        "",
        "sys_platform == 'win32",
        "sys_platform == ",
        "(os_name == 'nt'",
        "os_name == 'nt')",
        "os_name == 'nt' os_name == 'nt'",
        "os_name not 'nt'",
        "os_name = 'nt' & os_name == 'nt'",
        "os_name =! 'nt'",
        "os_name ~= 'nt'",
        "== 'nt'",
        &deep,
        &long,
    ] {
        assert_eq!(Marker::parse(marker).holds(&Environment::any(), None), None, "{marker}");
    }
    let longest = vec!["os_name == 'nt'"; MAX_COMPARISONS].join(" or ");
    assert_eq!(holds_in(&Environment::any(), &longest), Some(false));
    assert_eq!(Marker::parse(&longest).comparisons(), MAX_COMPARISONS);
}

proptest! {
    #[test]
    fn any_text_is_read_or_not_judged(text in "[()'\"a-z_.0-9<>=!~ ]{0,80}|\\PC{0,80}") {
        Marker::parse(&text).holds(&board("cp311", "linux_armv7l"), None);
    }

    /// What is said of a Python that is known to its minor number is true of every one of them.
    #[test]
    fn a_known_answer_is_that_of_every_micro_version(
        minor in 9_u16..14, operator in prop::sample::select(vec!["==", "!=", "<", "<=", ">", ">=", "~="]),
        wanted in "3\\.(9|1[0-3])(\\.[0-3])?", micro in 0_u64..5,
    ) {
        let marker = format!("python_full_version {operator} '{wanted}'");
        if let Some(holds) = holds_in(&board(&format!("cp3{minor}"), "any"), &marker) {
            let specifier = VersionSpecifier::from_str(&format!("{operator}{wanted}")).unwrap();
            let version = pep440_rs::Version::new([3, u64::from(minor), micro]);
            prop_assert_eq!(specifier.contains(&version), holds, "{} {}", marker, version);
        }
    }
}
