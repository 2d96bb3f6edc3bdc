//! The database's schema, as it is embedded in the programs: which version this software works with, and the SQL that
//! makes it. Knows no connection and runs nothing; `admin::initdb` does, and the master only compares the number.

/// The schema version that this software works with; larger is newer.
pub const SCHEMA_VERSION: i32 = 2;

/// One piece of SQL and the file it comes from, for messages.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// The path below `sql/`.
    pub name: &'static str,
    /// One or more statements.
    pub sql: &'static str,
}

/// A step from one schema version to a later one: tables only, the functions are made anew after the last step.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    /// The version it starts from.
    pub from: i32,
    /// The version it leads to, larger than `from`.
    pub to: i32,
    /// What it does, in this order. Never edited after a release. A new table's own file may be one of them as long as the
    /// table stays as it is: who changes it for a later version puts a copy of the file below `sql/updates/` in its place.
    pub scripts: &'static [Script],
    /// What is kept for speed is worked out anew afterwards, by the new functions (`sql/functions/_derive.sql`).
    pub derive: bool,
}

macro_rules! script {
    ($name:literal) => {
        Script { name: $name, sql: include_str!(concat!("../sql/", $name)) }
    };
}

macro_rules! scripts {
    ($($name:literal),* $(,)?) => {
        &[$(script!($name)),*]
    };
}

/// The tables, in the order of their references.
pub const TABLES: &[Script] = scripts![
    "schema/meta.sql",
    "schema/abi.sql",
    "schema/version.sql",
    "schema/wish.sql",
    "schema/policy.sql",
    "schema/queue.sql",
    "schema/walk.sql",
    "schema/build.sql",
    "schema/withdrawn.sql",
    "schema/rewrite.sql",
    "schema/stat.sql",
    "schema/feed.sql",
    "schema/download.sql",
];

/// The functions and views, each after those it needs to be defined, and last who may call them.
pub const FUNCTIONS: &[Script] = scripts![
    "functions/schema_version.sql",
    "functions/_check_token.sql",
    "functions/_check_lease.sql",
    "functions/_check_names.sql",
    "functions/_check_result.sql",
    "functions/_settles.sql",
    "functions/_back_off.sql",
    "functions/_abi3_from.sql",
    "functions/_abi3_serves.sql",
    "functions/_serves.sql",
    "functions/_like.sql",
    "views/policies.sql",
    "views/platform_alias.sql",
    "views/setting.sql",
    "views/judgement.sql",
    "views/target.sql",
    "views/page_file.sql",
    "views/page_releases.sql",
    "views/project_page.sql",
    "functions/_done.sql",
    "functions/_coverage.sql",
    "functions/_build_tag.sql",
    "functions/_open_next.sql",
    "functions/_open_many.sql",
    "functions/_requeue.sql",
    "functions/_judge.sql",
    "functions/_judge_package.sql",
    "functions/_order_page.sql",
    "functions/_order_pages.sql",
    "functions/_show.sql",
    "functions/_renew_newest.sql",
    "functions/_reprioritise.sql",
    "functions/_register.sql",
    "functions/_learn.sql",
    "functions/_void.sql",
    "functions/_withdraw.sql",
    "functions/_want_requirements.sql",
    "functions/_check_orders.sql",
    "functions/_lock_orders.sql",
    "functions/_ask_again.sql",
    "functions/_publish.sql",
    "functions/_day_counter.sql",
    "functions/_record.sql",
    "functions/_still_wanted.sql",
    "functions/_fold_stats.sql",
    "functions/_counted.sql",
    "functions/_recount.sql",
    "functions/_place.sql",
    "functions/_why_builds.sql",
    "functions/_abi_tags.sql",
    "functions/_page_read.sql",
    "functions/_stop_builds.sql",
    "functions/_mend_version.sql",
    "functions/_known_abi.sql",
    "functions/_check_reason.sql",
    "functions/_set_skip.sql",
    "functions/_judge_names.sql",
    "functions/_requeue_outcomes.sql",
    "functions/_requeue_pairs.sql",
    "functions/_requeue_version.sql",
    "functions/abis.sql",
    "functions/add_abi.sql",
    "functions/add_versions.sql",
    "functions/_standing.sql",
    "functions/walk.sql",
    "functions/_skip_lost_numbers.sql",
    "functions/claim.sql",
    "functions/renew.sql",
    "functions/adopt.sql",
    "functions/release.sql",
    "functions/files_known.sql",
    "functions/left_behind.sql",
    "functions/log_build.sql",
    "functions/sweep.sql",
    "functions/rewrites_due.sql",
    "functions/rebuild.sql",
    "functions/_page_ordered.sql",
    "functions/begin_import.sql",
    "functions/log_import.sql",
    "functions/_forget_builds.sql",
    "functions/remove.sql",
    "functions/rewrites_done.sql",
    "functions/rewrites_failed.sql",
    "functions/root_names.sql",
    "functions/order_home.sql",
    "functions/why.sql",
    "functions/pages_due.sql",
    "functions/learn_page.sql",
    "functions/page_unread.sql",
    "functions/feed_state.sql",
    "functions/feed_apply.sql",
    "functions/feed_compare.sql",
    "functions/feed_listed.sql",
    "functions/deps_due.sql",
    "functions/deps_found.sql",
    "functions/requirements_due.sql",
    "functions/requirement_done.sql",
    "functions/statistics.sql",
    "functions/queue_sizes.sql",
    "functions/home.sql",
    "functions/version_name.sql",
    "functions/_download_partition.sql",
    "functions/log_downloads.sql",
    "functions/drop_downloads.sql",
    "functions/_dl_bucket.sql",
    "functions/_popularity.sql",
    "functions/roll_popularity.sql",
    "functions/audit.sql",
    "functions/mend.sql",
    "functions/_is_kept.sql",
    "functions/audit_projects.sql",
    "functions/audit_root.sql",
    "functions/audit_project.sql",
    "functions/audit_strangers.sql",
    "functions/audit_builds.sql",
    "functions/withhold.sql",
    "functions/unclaimed.sql",
    "functions/skip.sql",
    "functions/unskip.sql",
    "functions/block.sql",
    "functions/unblock.sql",
    "functions/set_policy.sql",
    "functions/retire_abi.sql",
    "functions/requeue.sql",
    "functions/policy_report.sql",
    "functions/abi_report.sql",
    "functions/feed_report.sql",
    "functions/_derive.sql",
    "grants.sql",
];

/// The steps from older schemas, in any order.
pub const UPDATES: &[Update] = &[Update {
    from: 1,
    to: 2,
    scripts: scripts![
        "updates/1-2.sql",
        "schema/wish.sql",
        "schema/policy.sql",
        "schema/walk.sql",
        "schema/withdrawn.sql",
        "schema/feed.sql",
        "schema/download.sql",
        "updates/1-2-rows.sql",
    ],
    derive: true,
}];

/// What takes the rows of the original program over, in this order; between them `admin::takeover` reads the original's
/// tables into temporary ones.
#[derive(Clone, Copy, Debug)]
pub struct Takeover {
    /// The temporary tables.
    pub begin: Script,
    /// Then the ABIs follow.
    pub packages: Script,
    /// With their numbers.
    pub versions: Script,
    /// Of the versions and ABIs that have arrived.
    pub builds: Script,
    /// Of the builds that have arrived.
    pub files: Script,
    /// Of whichever packages have arrived.
    pub downloads: Script,
    /// What remains.
    pub end: Script,
}

/// See there.
pub const TAKEOVER: Takeover = Takeover {
    begin: script!("takeover/begin.sql"),
    packages: script!("takeover/packages.sql"),
    versions: script!("takeover/versions.sql"),
    builds: script!("takeover/builds.sql"),
    files: script!("takeover/files.sql"),
    downloads: script!("takeover/downloads.sql"),
    end: script!("takeover/end.sql"),
};

/// The chain of steps that leads from one version to another; `None` when there is none. Takes the longest step where
/// several begin at one version.
pub fn path(updates: &[Update], from: i32, to: i32) -> Option<Vec<Update>> {
    let mut steps = Vec::new();
    let mut at = from;
    while at < to {
        let step = updates.iter().filter(|u| u.from == at && u.to > at && u.to <= to).max_by_key(|u| u.to)?;
        steps.push(*step);
        at = step.to;
    }
    (at == to).then_some(steps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn update(from: i32, to: i32) -> Update {
        Update { from, to, scripts: &[], derive: false }
    }

    fn steps(updates: &[Update], from: i32, to: i32) -> Option<Vec<(i32, i32)>> {
        path(updates, from, to).map(|steps| steps.iter().map(|u| (u.from, u.to)).collect())
    }

    #[test]
    fn steps_are_chained_whatever_their_order_in_the_list() {
        let list = [update(3, 4), update(1, 2), update(2, 3)];
        assert_eq!(steps(&list, 1, 4), Some(vec![(1, 2), (2, 3), (3, 4)]));
        assert_eq!(steps(&list, 3, 4), Some(vec![(3, 4)]));
        assert_eq!(steps(&list, 4, 4), Some(vec![]));
    }

    #[test]
    fn a_longer_step_is_preferred_but_never_past_the_goal() {
        let list = [update(1, 2), update(1, 3), update(2, 3), update(1, 9)];
        assert_eq!(steps(&list, 1, 3), Some(vec![(1, 3)]));
    }

    #[test]
    fn a_gap_a_downgrade_and_a_step_in_place_have_no_path() {
        let list = [update(1, 2), update(3, 4), update(5, 5)];
        assert_eq!(steps(&list, 1, 4), None);
        assert_eq!(steps(&list, 4, 3), None);
        assert_eq!(steps(&list, 5, 6), None);
    }

    #[test]
    fn every_file_below_sql_is_embedded() {
        let mut listed: Vec<&str> = TABLES.iter().chain(FUNCTIONS).map(|s| s.name).collect();
        listed.extend(UPDATES.iter().flat_map(|u| u.scripts).map(|s| s.name));
        let Takeover { begin, packages, versions, builds, files, downloads, end } = TAKEOVER;
        listed.extend([begin, packages, versions, builds, files, downloads, end].map(|s| s.name));
        listed.sort_unstable();
        listed.dedup();
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("sql");
        let mut found = Vec::new();
        let mut dirs = vec![root.clone()];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    dirs.push(path);
                } else if path.extension().is_some_and(|e| e == "sql") {
                    found.push(path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned());
                }
            }
        }
        found.sort_unstable();
        assert_eq!(found, listed);
    }
}
