//! What may stand between a build and its machine: the words for it, and what is missing somewhere.

use crate::wire::slave::Wall;

/// Every wall, in the order of the codes on the wire.
pub const ALL: [Wall; 11] = [
    Wall::Namespaces,
    Wall::ReadOnly,
    Wall::NetOff,
    Wall::NoNewPrivileges,
    Wall::Seccomp,
    Wall::Landlock,
    Wall::CgroupMemory,
    Wall::CgroupPids,
    Wall::CgroupCpu,
    Wall::Rlimits,
    Wall::TreeKill,
];

/// Its name in `wire-spec/slave.md`, in JSON and on pages.
pub const fn name(wall: Wall) -> &'static str {
    match wall {
        Wall::Namespaces => "namespaces",
        Wall::ReadOnly => "read-only",
        Wall::NetOff => "net-off",
        Wall::NoNewPrivileges => "no-new-privileges",
        Wall::Seccomp => "seccomp",
        Wall::Landlock => "landlock",
        Wall::CgroupMemory => "cgroup-memory",
        Wall::CgroupPids => "cgroup-pids",
        Wall::CgroupCpu => "cgroup-cpu",
        Wall::Rlimits => "rlimits",
        Wall::TreeKill => "tree-kill",
    }
}

/// Names of the walls that are in force, and of those that are not; each once and in order, whatever a slave says.
pub fn split(in_force: &[Wall]) -> (Vec<&'static str>, Vec<&'static str>) {
    let (there, missing): (Vec<Wall>, Vec<Wall>) = ALL.iter().partition(|wall| in_force.contains(wall));
    (there.into_iter().map(name).collect(), missing.into_iter().map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::field::Field;
    use bytes::Bytes;

    #[test]
    fn every_wall_of_the_wire_has_the_name_here_that_it_has_there() {
        let on_the_wire = (0..=u8::MAX).map_while(|code| Wall::take(&mut Bytes::from(vec![code])).ok());
        assert_eq!(on_the_wire.collect::<Vec<Wall>>(), ALL);
        let text = include_str!("../../wire-spec/slave.md");
        for (code, wall) in ALL.into_iter().enumerate() {
            assert!(text.contains(&format!("{code} `{}`", name(wall))), "{}", name(wall));
        }
    }

    #[test]
    fn what_is_not_in_force_is_missing() {
        let (there, missing) = split(&[Wall::TreeKill, Wall::Namespaces, Wall::TreeKill]);
        assert_eq!(there, ["namespaces", "tree-kill"]);
        assert_eq!((missing.len(), missing[0]), (9, "read-only"));
    }
}
