//! What may stand between a build and its machine: the words for it, and what is missing somewhere.

use crate::wire::slave::Wall;

/// The wall of this name.
pub fn parse(name: &str) -> Option<Wall> {
    Wall::ALL.iter().copied().find(|wall| wall.name() == name)
}

/// Names of the walls that are in force, and of those that are not; each once and in order, whatever a slave says.
pub fn split(in_force: &[Wall]) -> (Vec<&'static str>, Vec<&'static str>) {
    let (there, missing): (Vec<Wall>, Vec<Wall>) = Wall::ALL.iter().partition(|wall| in_force.contains(wall));
    (there.into_iter().map(Wall::name).collect(), missing.into_iter().map(Wall::name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::field::Field;
    use bytes::Bytes;

    #[test]
    fn every_wall_of_the_wire_has_the_name_here_that_it_has_there() {
        let on_the_wire = (0..=u8::MAX).map_while(|code| Wall::take(&mut Bytes::from(vec![code])).ok());
        assert_eq!(on_the_wire.collect::<Vec<Wall>>(), Wall::ALL);
        let text = include_str!("../../wire-spec/slave.md");
        for (code, wall) in Wall::ALL.iter().enumerate() {
            assert!(text.contains(&format!("{code} `{}`", wall.name())), "{}", wall.name());
            assert_eq!(parse(wall.name()), Some(*wall));
        }
    }

    #[test]
    fn what_is_not_in_force_is_missing() {
        let (there, missing) = split(&[Wall::TreeKill, Wall::Namespaces, Wall::TreeKill]);
        assert_eq!(there, ["namespaces", "tree-kill"]);
        assert_eq!((missing.len(), missing[0]), (9, "read-only"));
    }
}
