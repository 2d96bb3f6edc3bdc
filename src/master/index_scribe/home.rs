//! The home page, from its rows and the slaves that are there. Deterministic, and without the moment at which it is written:
//! where nothing happened, it is the same page. Pure.

use std::collections::BTreeMap;

use serde::Serialize;

use super::assets::NO_ADDRESS;
use super::chart::{self, Chart};
use super::frame::{Frame, Here};
use super::outcome::look;
use super::page::Templates;
use super::words::{bytes, grouped, moment, span};
use crate::domain::{BuildId, log_path};
use crate::master::hub::PublicSlave;
use crate::master::query::{HomeDay, HomeNumbers, HomeRows, RecentBuild};

#[derive(Serialize)]
struct Home<'a> {
    frame: Frame<'a>,
    site: &'a str,
    /// The address of the simple index.
    index: String,
    has_address: bool,
    cards: Vec<Card>,
    recent: Vec<Recent<'a>>,
    /// Whether it is known which slaves there are.
    knows_slaves: bool,
    connected: String,
    building: String,
    kinds: Vec<Kind<'a>>,
    charts: Vec<Chart>,
    failures: Option<Chart>,
}

#[derive(Serialize)]
struct Card {
    name: &'static str,
    figure: String,
}

#[derive(Serialize)]
struct Recent<'a> {
    project: &'a str,
    display: &'a str,
    version: &'a str,
    abi: &'a str,
    outcome: &'a str,
    state: &'static str,
    at: &'a str,
    moment: String,
    span: String,
    log: Option<String>,
}

/// Slaves that build for the same.
#[derive(Serialize)]
struct Kind<'a> {
    abi: &'a str,
    platform: &'a str,
    connected: usize,
    building: usize,
}

impl Templates {
    /// The home page; `None`: it is not known which slaves there are.
    pub(super) fn home(
        &self,
        rows: &HomeRows,
        slaves: Option<&[PublicSlave]>,
        has_log: impl Fn(BuildId) -> bool,
    ) -> Result<String, String> {
        let site = self.site();
        let frame = Frame::new(
            site,
            0,
            Here::Home,
            "Python wheels for your boards",
            "Wheels of Python projects, built from their source and ready for pip and uv.",
        );
        let all = slaves.unwrap_or_default();
        let page = Home {
            frame,
            site: &site.name,
            index: format!("{}simple/", site.url.as_deref().unwrap_or(NO_ADDRESS)),
            has_address: site.url.is_some(),
            cards: cards(&rows.statistics),
            recent: rows.recent.iter().map(|build| recent(build, &has_log)).collect(),
            knows_slaves: slaves.is_some(),
            connected: counted(all.len(), "slave is connected", "slaves are connected"),
            building: counted(busy(all), "is building", "are building"),
            kinds: kinds(all),
            charts: vec![builds(&rows.days), downloads(&rows.days)],
            failures: failures(&rows.days),
        };
        self.render("home", &page)
    }
}

fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

fn busy(slaves: &[PublicSlave]) -> usize {
    slaves.iter().filter(|slave| slave.doing == "building").count()
}

fn cards(numbers: &HomeNumbers) -> Vec<Card> {
    let share = match numbers.builds_count {
        0 => "none yet".to_owned(),
        all => format!("{} %", u128::from(numbers.builds_success) * 100 / u128::from(all)),
    };
    let waiting = if numbers.queued >= 100_000 { "100,000 +".to_owned() } else { grouped(numbers.queued) };
    [
        ("projects with wheels", grouped(numbers.packages_built)),
        ("wheels", grouped(numbers.files_count)),
        ("of wheels in all", bytes(numbers.builds_size)),
        ("downloads in 30 days", grouped(numbers.downloads_last_month)),
        ("versions tried", grouped(numbers.versions_tried)),
        ("builds", grouped(numbers.builds_count)),
        ("of them made wheels", share),
        ("spent building", span(numbers.builds_time)),
        ("being built now", grouped(numbers.leased)),
        ("waiting for a slave", waiting),
    ]
    .into_iter()
    .map(|(name, figure)| Card { name, figure })
    .collect()
}

fn recent<'a>(build: &'a RecentBuild, has_log: &impl Fn(BuildId) -> bool) -> Recent<'a> {
    Recent {
        project: &build.project,
        display: &build.display,
        version: &build.version,
        abi: &build.abi,
        outcome: &build.outcome,
        state: look(&build.outcome),
        at: &build.at,
        moment: moment(&build.at),
        span: span(build.duration_ms),
        log: has_log(build.build).then(|| log_path(build.build).display().to_string()),
    }
}

fn kinds(slaves: &[PublicSlave]) -> Vec<Kind<'_>> {
    let mut kinds: BTreeMap<(&str, &str), Vec<&PublicSlave>> = BTreeMap::new();
    for slave in slaves {
        kinds.entry((&slave.platform, &slave.abi)).or_default().push(slave);
    }
    let kind = |((platform, abi), slaves): (_, Vec<&PublicSlave>)| Kind {
        abi,
        platform,
        connected: slaves.len(),
        building: slaves.iter().filter(|slave| slave.doing == "building").count(),
    };
    kinds.into_iter().map(kind).collect()
}

fn builds(days: &[HomeDay]) -> Chart {
    let parts = [("ok", "Built"), ("bad", "Failed"), ("wait", "Cut short"), ("off", "Not wanted")];
    let columns = days.iter().map(|day| {
        let of = |class: &str| {
            let some = day.builds.iter().filter(|(outcome, _)| look(outcome) == class);
            some.fold(0_u64, |sum, (_, count)| sum.saturating_add(*count))
        };
        (day.day.clone(), parts.iter().map(|(class, _)| of(class)).collect())
    });
    chart::columns("builds", "Builds a day", &parts, &columns.collect::<Vec<_>>())
}

fn downloads(days: &[HomeDay]) -> Chart {
    let columns: Vec<_> = days.iter().map(|day| (day.day.clone(), vec![day.downloads])).collect();
    chart::columns("downloads", "Downloads a day", &[("plain", "Downloads")], &columns)
}

/// What the last days' builds failed of; `None` where none did.
fn failures(days: &[HomeDay]) -> Option<Chart> {
    let mut sums: BTreeMap<&str, u64> = BTreeMap::new();
    for (outcome, count) in days.iter().flat_map(|day| &day.builds) {
        if matches!(look(outcome), "bad" | "wait") {
            let sum = sums.entry(outcome).or_default();
            *sum = sum.saturating_add(*count);
        }
    }
    let mut rows: Vec<_> =
        sums.into_iter().map(|(outcome, sum)| (outcome.to_owned(), look(outcome), sum)).collect();
    rows.sort_by(|one, other| other.2.cmp(&one.2).then_with(|| one.0.cmp(&other.0)));
    (!rows.is_empty()).then(|| chart::bars("failures", "Why builds failed in 30 days", "Outcome", &rows))
}

#[cfg(test)]
mod tests;
