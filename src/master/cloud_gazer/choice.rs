//! Which of a page's releases somebody means: the newest that a requirement fits, or all that the farm is to register.
//! Pure.

use std::str::FromStr;

use pep440_rs::{Operator, VersionSpecifiers};

use super::project_page::ProjectPage;
use super::releases::Release;
use super::trouble::shown;
use crate::domain::{ProjectName, Version, WheelName};
use crate::master::gaze::{ProjectStatus, ReleaseTruth, WantedReleases, Wish};
use crate::master::query::Wanted;

/// PEP 440 specifiers as a requirement has them; none for an empty text.
pub(super) fn parse_specifiers(text: &str) -> Result<VersionSpecifiers, String> {
    if text.trim().is_empty() {
        return Ok(VersionSpecifiers::empty());
    }
    VersionSpecifiers::from_str(text)
        .map_err(|e| format!("{text:?} is not a version specifier: {}", first_line(&e)))
}

fn first_line(error: &impl ToString) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

impl ProjectPage {
    /// The newest version that fits: final releases before pre-releases, and a yanked one only where it is named.
    pub(super) fn newest(
        &self,
        package: &ProjectName,
        specifiers: &VersionSpecifiers,
        text: &str,
    ) -> Result<Wanted, String> {
        if self.status == ProjectStatus::Quarantined {
            return Err(format!("{package}: the index has put it under quarantine"));
        }
        let named = specifiers.iter().any(|s| s.operator() == &Operator::Equal);
        let with_sdist = || self.releases.iter().filter(|(_, release)| release.sdists.count > 0);
        let fitting: Vec<_> = with_sdist()
            .filter(|(version, release)| version.fits(specifiers) && (named || release.sdists.standing > 0))
            .collect();
        let Some((version, release)) = preferred(&fitting) else {
            return Err(match with_sdist().next_back() {
                None => format!("{package}: the index has no source distribution of it"),
                Some((newest, _)) if text.is_empty() => {
                    format!("{package}: every version is yanked; {package}=={newest} names the newest")
                }
                Some((newest, _)) => {
                    format!("{package}: no version {text} with a source distribution; the newest is {newest}")
                }
            });
        };
        Ok(Wanted {
            package: package.clone(),
            display: self.display.clone(),
            version: version.clone(),
            released: release.released(),
            yanked: release.yanked(),
            named,
            pythons: release.main().pythons(),
            pure: release.pure.clone(),
            tags: release.tags.clone(),
            specifiers: Some(text.to_owned()),
            extras: Vec::new(),
        })
    }

    /// The index's wheel for everybody of the version that an installer would take, where there is nothing to build that
    /// version from.
    pub(super) fn served(&self, specifiers: &VersionSpecifiers) -> Option<WheelName> {
        let usable = |release: &Release| release.sdists.standing > 0 || release.pure.is_some();
        let fitting: Vec<_> = self
            .releases
            .iter()
            .filter(|(version, release)| version.fits(specifiers) && usable(release))
            .collect();
        let (_, release) = preferred(&fitting)?;
        let pure = release.pure.as_deref().filter(|_| release.sdists.count == 0)?;
        WheelName::parse(pure).ok().filter(|_| self.status != ProjectStatus::Quarantined)
    }

    /// All releases, oldest first, with those marked that are wanted.
    pub(super) fn truths(&self, wanted: &WantedReleases) -> Vec<ReleaseTruth> {
        let quarantined = self.status == ProjectStatus::Quarantined;
        let wishes: Vec<ReadWish<'_>> = match wanted {
            WantedReleases::All => Vec::new(),
            WantedReleases::Listed(wishes) => wishes.iter().filter_map(|w| ReadWish::new(w, self)).collect(),
        };
        let is_wanted = |version: &Version, release: &Release| {
            let meant = match wanted {
                WantedReleases::All => release.sdists.count > 0,
                WantedReleases::Listed(_) => wishes.iter().any(|wish| wish.means(version, release)),
            };
            meant && !quarantined
        };
        self.releases
            .iter()
            .map(|(version, release)| truth(version, release, is_wanted(version, release)))
            .collect()
    }
}

fn truth(version: &Version, release: &Release, wanted: bool) -> ReleaseTruth {
    ReleaseTruth {
        version: version.clone(),
        released: release.released(),
        sdist: release.sdists.count > 0,
        yanked: release.yanked(),
        pythons: release.main().pythons(),
        pure: release.pure.clone(),
        tags: release.tags.clone(),
        wanted,
    }
}

/// Of releases that fit, oldest first: the newest final one, else the newest.
fn preferred<'a>(fitting: &[(&'a Version, &'a Release)]) -> Option<(&'a Version, &'a Release)> {
    fitting.iter().rev().find(|(version, _)| !version.is_prerelease()).or(fitting.last()).copied()
}

/// A wish, applied to one page.
struct ReadWish<'a> {
    specifiers: VersionSpecifiers,
    since: i64,
    /// Pre-releases are meant too: the specifiers name one, or no final release fits (PEP 440, "Handling of
    /// pre-releases").
    prereleases: bool,
    /// What the wish would come to, were it made now.
    newest: Option<&'a Version>,
}

impl<'a> ReadWish<'a> {
    /// `None` when its specifiers cannot be read: it means nothing then.
    fn new(wish: &Wish, page: &'a ProjectPage) -> Option<Self> {
        let specifiers = parse_specifiers(&wish.specifiers)
            .inspect_err(|reason| log::warn!("a wish for {} means nothing: {}", page.display, shown(reason)))
            .ok()?;
        let fitting: Vec<_> = page
            .releases
            .iter()
            .filter(|(version, release)| release.sdists.standing > 0 && version.fits(&specifiers))
            .collect();
        let newest = preferred(&fitting).map(|(version, _)| version);
        let named = |s: &pep440_rs::VersionSpecifier| {
            !matches!(s.operator(), Operator::NotEqual | Operator::NotEqualStar) && s.any_prerelease()
        };
        let prereleases =
            specifiers.iter().any(named) || newest.is_some_and(|version| version.is_prerelease());
        Some(Self { specifiers, since: wish.since, prereleases, newest })
    }

    /// Whether this release came after the wish and fits it. Where the index does not say when it came, only what the
    /// wish would come to now is meant: a newer version sooner or later is, and the old ones never are.
    fn means(&self, version: &Version, release: &Release) -> bool {
        let later = match release.sdists.uploaded {
            // in whole seconds: what came in the same one may have come later
            Some(at) => at >= self.since,
            None => self.newest == Some(version),
        };
        later
            && release.sdists.standing > 0
            && (self.prereleases || !version.is_prerelease())
            && version.fits(&self.specifiers)
    }
}
