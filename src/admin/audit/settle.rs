//! From something that looked wrong to a finding. The farm goes on while it is audited: what is published, removed or
//! written between the look at the rows and the look at the disk differs for a moment. So nothing is told that was not seen
//! twice while the farm had nothing to write there; and with `--fix`, until it was seen whether it is mended. Pure: time is
//! an argument.

use std::time::Duration;

use super::finding::{Cure, Finding};

/// Between two looks.
pub(super) const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long pages that are due are waited for.
pub(super) const PATIENCE: Duration = Duration::from_secs(300);
/// How often something is tried to be mended.
const ROUNDS: u8 = 3;

/// Something that looked wrong.
#[derive(Clone, Debug, Default)]
pub(super) struct Suspect {
    /// What the last look found; none where it does not count any more.
    seen: Option<Vec<Finding>>,
    /// What was found and mends were made for.
    done: Vec<Finding>,
    rounds: u8,
    /// Since when it was not quiet.
    unquiet: Option<Duration>,
}

/// What is next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Look again later.
    Again,
    /// Mend these, then look again.
    Mend(Vec<Finding>),
    /// That is all: findings, each with whether it is mended; and whether the farm was busy there all the time.
    End(Vec<(Finding, bool)>, bool),
}

impl Suspect {
    /// What a first look found.
    pub(super) fn new(found: Vec<Finding>) -> Self {
        Self { seen: Some(found), ..Self::default() }
    }

    /// One that an interrupted audit made mends for.
    pub(super) fn resumed(done: Vec<Finding>) -> Self {
        Self { done, ..Self::default() }
    }

    /// What mends were made for.
    pub(super) fn done(&self) -> &[Finding] {
        &self.done
    }

    /// Everything that it is about: what has to be looked at closely. None: all of it, for nobody did yet.
    pub(super) fn about(&self) -> Option<impl Iterator<Item = &Finding>> {
        let known = self.seen.is_some() || !self.done.is_empty();
        known.then(|| self.seen.iter().flatten().chain(&self.done))
    }

    /// It was looked at again. `quiet`: the farm had nothing to write there, before the look and after it, and the rows
    /// were the same.
    pub(super) fn looked(&mut self, now: Duration, found: Vec<Finding>, quiet: bool, fix: bool) -> Next {
        if !quiet {
            let since = *self.unquiet.get_or_insert(now);
            if now.saturating_sub(since) >= PATIENCE {
                // what was ordered and is still so is told; what may be on its way is not
                let stays = |one: &Finding| found.iter().any(|other| other.is_same(one));
                let ends = self.done.iter().map(|one| (one.clone(), !stays(one)));
                return Next::End(ends.collect(), true);
            }
            self.seen = Some(found);
            return Next::Again;
        }
        self.unquiet = None;
        let seen = self.seen.take().unwrap_or_default();
        let confirmed = found.iter().all(|one| seen.iter().any(|other| other.is_same(one)));
        if !confirmed {
            self.seen = Some(found);
            return Next::Again;
        }
        let mends: Vec<_> = found.iter().filter(|one| one.cure != Cure::None).cloned().collect();
        if fix && !mends.is_empty() && self.rounds < ROUNDS {
            self.rounds += 1;
            for one in &found {
                if !self.done.iter().any(|other| other.is_same(one)) {
                    self.done.push(one.clone());
                }
            }
            return Next::Mend(mends);
        }
        let mended = |one: &&Finding| !found.iter().any(|other| other.is_same(one));
        let mended: Vec<_> = self.done.iter().filter(mended).map(|one| (one.clone(), true)).collect();
        Next::End(found.into_iter().map(|one| (one, false)).chain(mended).collect(), false)
    }
}

#[cfg(test)]
mod tests {
    use super::super::finding::Kind;
    use super::*;

    const NOW: Duration = Duration::from_secs(7);

    fn page() -> Finding {
        Finding::new(Kind::PageMissing, "simple/foo/index.html", "", Cure::Page)
    }

    fn lost(cure: Cure) -> Finding {
        Finding::new(Kind::FileMissing, "simple/foo/foo.whl", "", cure)
    }

    #[test]
    fn what_was_only_passing_is_never_told() {
        let mut suspect = Suspect::new(vec![page()]);
        assert_eq!(suspect.looked(NOW, Vec::new(), true, false), Next::End(Vec::new(), false));
        let mut suspect = Suspect::new(vec![page()]);
        assert_eq!(suspect.looked(NOW, vec![page()], false, false), Next::Again, "it is being written");
        assert_eq!(suspect.looked(NOW, vec![lost(Cure::Withhold)], true, false), Next::Again, "that is new");
        assert_eq!(suspect.looked(NOW, Vec::new(), true, false), Next::End(Vec::new(), false));
    }

    #[test]
    fn what_is_seen_twice_in_quiet_is_told() {
        let mut suspect = Suspect::new(vec![page(), lost(Cure::Withhold)]);
        let end = Next::End(vec![(page(), false)], false);
        assert_eq!(suspect.looked(NOW, vec![page()], true, false), end);
    }

    #[test]
    fn mends_are_made_and_seen_to_have_helped() {
        let mut suspect = Suspect::new(vec![page(), lost(Cure::Withhold)]);
        let both = vec![page(), lost(Cure::Withhold)];
        assert_eq!(suspect.looked(NOW, both.clone(), true, true), Next::Mend(both));
        assert_eq!(suspect.looked(NOW, vec![page(), lost(Cure::None)], false, true), Next::Again);
        assert_eq!(
            suspect.looked(NOW, vec![lost(Cure::None)], true, true),
            Next::End(vec![(lost(Cure::None), false), (page(), true)], false)
        );
    }

    #[test]
    fn what_was_looked_at_closely_once_is_not_again() {
        let about = |suspect: &Suspect| suspect.about().map(|about| about.cloned().collect::<Vec<_>>());
        assert_eq!(about(&Suspect::resumed(Vec::new())), None, "it was never looked at");
        let mut suspect = Suspect::new(vec![page()]);
        assert_eq!(about(&suspect), Some(vec![page()]));
        suspect.looked(NOW, vec![page()], true, true);
        assert_eq!(about(&suspect), Some(vec![page()]), "what was mended");
    }

    #[test]
    fn what_does_not_help_is_not_tried_for_ever() {
        let mut suspect = Suspect::new(vec![page()]);
        let mut tries = 0;
        loop {
            match suspect.looked(NOW, vec![page()], true, true) {
                Next::Mend(_) => tries += 1,
                Next::Again => {}
                Next::End(found, busy) => {
                    assert_eq!((found, busy), (vec![(page(), false)], false));
                    break;
                }
            }
        }
        assert_eq!(tries, ROUNDS);
    }

    #[test]
    fn pages_that_are_due_for_ever_are_told_as_that() {
        let mut suspect = Suspect::new(vec![page()]);
        assert_eq!(suspect.looked(NOW, vec![page()], false, false), Next::Again);
        let late = NOW + PATIENCE;
        assert_eq!(suspect.looked(late, vec![page()], false, false), Next::End(Vec::new(), true));
        let mut resumed = Suspect::resumed(vec![page()]);
        assert_eq!(resumed.looked(NOW, vec![page()], false, true), Next::Again);
        assert_eq!(resumed.looked(late, vec![page()], false, true), Next::End(vec![(page(), false)], true));
        let mut resumed = Suspect::resumed(vec![page()]);
        assert_eq!(resumed.looked(NOW, Vec::new(), true, true), Next::End(vec![(page(), true)], false));
    }
}
