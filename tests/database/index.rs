//! What the index says, and what follows from it: pages, events, the list of all projects.

use std::time::{SystemTime, UNIX_EPOCH};

use piwheels::domain::AbiTag;
use piwheels::master::gaze::{Happening, IndexEvent, ListedProject, PageTruth, ProjectStatus, ReleaseTruth};
use piwheels::master::query::{Answer, DuePage, FeedState, Learned, Outcome, Query, Unread, Wanted};

use crate::farm::{Farm, abi, name, version, wanted};

pub(crate) fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

pub(crate) fn release(text: &str) -> ReleaseTruth {
    ReleaseTruth {
        version: version(text),
        released: Some(1_700_000_000),
        sdist: true,
        yanked: None,
        pythons: None,
        pure: None,
        tags: Vec::new(),
        wanted: true,
    }
}

pub(crate) fn truth(releases: Vec<ReleaseTruth>) -> PageTruth {
    PageTruth {
        display: "Foo".to_owned(),
        status: ProjectStatus::Active,
        status_reason: None,
        serial: None,
        etag: Some("e1".to_owned()),
        releases,
    }
}

pub(crate) fn event(serial: u64, package: &str, what: Happening) -> IndexEvent {
    IndexEvent { serial, at: now() - 60, package: name(package), display: package.to_owned(), what }
}

impl Farm {
    pub(crate) fn page(&mut self, package: &str, truth: PageTruth) -> Learned {
        let query = Query::LearnPage { package: name(package), truth: Box::new(truth), next_secs: Some(600) };
        let Answer::Learned(learned) = self.ask(&query) else { panic!() };
        learned
    }

    pub(crate) fn releases(&mut self, package: &str, releases: Vec<ReleaseTruth>) -> Learned {
        self.page(package, truth(releases))
    }

    pub(crate) fn unread(&mut self, package: &str, news: Unread) -> Learned {
        let query = Query::PageUnread { package: name(package), news, next_secs: None };
        let Answer::Learned(learned) = self.ask(&query) else { panic!() };
        learned
    }

    pub(crate) fn events(&mut self, serial: u64, events: Vec<IndexEvent>) -> Learned {
        let query = Query::FeedApply { serial, settled: 0, events };
        let Answer::Learned(learned) = self.ask(&query) else { panic!() };
        learned
    }

    pub(crate) fn due(&mut self) -> Vec<DuePage> {
        let Answer::PagesDue(due) = self.ask(&Query::PagesDue { limit: 16, ahead: 64 }) else { panic!() };
        due
    }

    fn due_names(&mut self) -> Vec<String> {
        self.due().iter().map(|page| page.package.to_string()).collect()
    }

    fn feed(&mut self) -> FeedState {
        let Answer::FeedState(state) = self.ask(&Query::FeedState) else { panic!() };
        state
    }

    fn why_not(&mut self, package: &str) -> String {
        self.why(package, None).unwrap()["versions"][0]["why_not"].as_str().unwrap_or_default().to_owned()
    }

    /// A version with a published file.
    fn publish(&mut self, package: &str, text: &str) -> String {
        self.add_all(vec![Wanted { named: true, ..wanted(package, text) }]);
        let job = self.job("cp311");
        self.built(&job, &[("cp311", "cp311")]);
        self.write_pages();
        format!("{package}-{text}-cp311-cp311-linux_armv7l.whl")
    }

    /// Says that every page is written; what went from the disk with them.
    fn write_pages(&mut self) -> Vec<String> {
        let mut gone = Vec::new();
        for due in self.rewrites() {
            gone.extend(due.rows.gone.clone());
            self.ask(&Query::RewritesDone(vec![due.order]));
        }
        gone
    }
}

#[test]
fn a_new_release_is_handed_out_when_its_page_was_read_and_not_before() {
    let mut farm = Farm::with_abis(&["cp311"]);
    let learned = farm.events(10, vec![event(10, "foo", Happening::Sdist(version("1.0")))]);
    assert_eq!(learned.registered, 1);
    assert_eq!(farm.claim("cp311"), None, "nobody has looked at its page");
    assert_eq!(farm.due_names(), ["foo"]);
    assert_eq!(farm.due()[0].serial, 10, "an older page is not believed");
    let learned = farm.page("foo", PageTruth { serial: Some(10), ..truth(vec![release("1.0")]) });
    assert_eq!(learned.opened, [abi("cp311")]);
    assert_eq!(farm.job("cp311").version, version("1.0"));
    assert!(farm.due().is_empty(), "{:?}", farm.due());
}

#[test]
fn a_page_older_than_what_is_known_is_refused_and_changes_nothing() {
    let mut farm = Farm::with_abis(&["cp311"]);
    farm.events(10, vec![event(10, "foo", Happening::Sdist(version("1.0")))]);
    let stale = PageTruth { serial: Some(9), ..truth(Vec::new()) };
    let query = Query::LearnPage { package: name("foo"), truth: Box::new(stale), next_secs: None };
    assert!(farm.refusal(&query).contains("older"));
    assert_eq!(farm.due_names(), ["foo"]);
}

#[test]
fn what_the_page_says_against_a_version_is_said_by_why() {
    let mut farm = Farm::with_abis(&["cp311"]);
    let odd = [
        (ReleaseTruth { sdist: false, ..release("1.0") }, "no source distribution"),
        (ReleaseTruth { yanked: Some("broken".to_owned()), ..release("1.0") }, "yanked: broken"),
        (
            ReleaseTruth { pure: Some("foo-1.0-py3-none-any.whl".to_owned()), ..release("1.0") },
            "a wheel for every Python and platform: foo-1.0-py3-none-any.whl",
        ),
    ];
    for (release_truth, reason) in odd {
        farm.events(10, vec![event(10, "foo", Happening::Sdist(version("1.0")))]);
        farm.releases("foo", vec![release_truth]);
        assert!(farm.why_not("foo").contains(reason), "{}", farm.why_not("foo"));
        assert_eq!(farm.claim("cp311"), None);
        farm.releases("foo", vec![release("1.0")]);
        assert_eq!(farm.why_not("foo"), "");
    }
    let quarantined = PageTruth {
        status: ProjectStatus::Quarantined,
        status_reason: Some("malware".to_owned()),
        ..truth(vec![release("1.0")])
    };
    farm.page("foo", quarantined);
    assert!(farm.why_not("foo").ends_with("under quarantine: malware"), "{}", farm.why_not("foo"));
    assert_eq!(farm.claim("cp311"), None);
}

#[test]
fn quarantine_takes_the_page_away_cancels_the_build_and_brings_all_back_when_it_ends() {
    let mut farm = Farm::with_abis(&["cp311"]);
    farm.publish("foo", "1.0");
    farm.add("foo", "2.0");
    let job = farm.job("cp311");
    let both = || truth(vec![release("1.0"), release("2.0")]);
    let learned = farm.page("foo", PageTruth { status: ProjectStatus::Quarantined, ..both() });
    assert_eq!(learned.cancelled, [job.token.build]);
    let due = farm.rewrites();
    assert!(due.iter().all(|page| page.rows.files.is_empty() && page.rows.gone.is_empty()), "{due:?}");
    assert_eq!(due.len(), 2, "the root, too");
    farm.write_pages();
    farm.log(&job, Outcome::Cancelled, Vec::new());
    farm.page("foo", both());
    assert_eq!(farm.rewrites()[0].rows.files.len(), 1, "the file was kept");
}

#[test]
fn a_release_that_is_gone_from_its_page_takes_its_files_along_behind_the_page() {
    let mut farm = Farm::with_abis(&["cp311"]);
    let file = farm.publish("foo", "1.0");
    farm.publish("foo", "1.1");
    farm.releases("foo", vec![release("1.1")]);
    assert!(
        farm.why("foo", Some("1.0")).unwrap()["versions"][0]["why_not"].as_str().unwrap().contains("removed")
    );
    let due = farm.rewrites();
    assert_eq!(due.len(), 1, "the project stays on the root");
    assert_eq!((due[0].rows.files.len(), due[0].rows.gone.as_slice()), (1, [file.clone()].as_slice()));
    assert_eq!(farm.write_pages(), [file]);
    assert!(farm.rewrites().is_empty());
    // it comes back: built again, and its name keeps its bytes
    farm.releases("foo", vec![release("1.0"), release("1.1")]);
    farm.add("foo", "1.0");
    assert_eq!(farm.job("cp311").version, version("1.0"));
}

#[test]
fn a_missing_page_stops_hand_outs_at_once_and_costs_files_only_when_it_stays_missing() {
    let mut farm = Farm::with_abis(&["cp311"]);
    let file = farm.publish("foo", "1.0");
    farm.add("foo", "2.0");
    farm.unread("foo", Unread::Missing { patience_secs: 3600 });
    assert_eq!(farm.claim("cp311"), None);
    assert!(farm.why_not("foo").contains("no page"), "{}", farm.why_not("foo"));
    assert_eq!(farm.write_pages(), [""; 0], "the files stay");
    farm.releases("foo", vec![release("1.0"), release("2.0")]);
    assert_eq!(farm.job("cp311").version, version("2.0"), "it was a passing fault");
    farm.unread("foo", Unread::Missing { patience_secs: 3600 });
    farm.execute("UPDATE piw.package SET missing_since = now() - interval '2 hours'");
    let learned = farm.unread("foo", Unread::Missing { patience_secs: 3600 });
    assert_eq!(learned.cancelled.len(), 1, "what is being built of it is not wanted");
    assert_eq!(farm.write_pages(), [file]);
    assert!(farm.why_not("foo").contains("removed the project"), "{}", farm.why_not("foo"));
}

#[test]
fn a_removal_by_event_takes_files_only_when_the_page_confirms_it() {
    let mut farm = Farm::with_abis(&["cp311"]);
    let file = farm.publish("foo", "1.0");
    farm.events(20, vec![event(20, "foo", Happening::ProjectRemoved)]);
    assert_eq!(farm.write_pages(), [""; 0]);
    assert_eq!(farm.due_names(), ["foo"]);
    farm.unread("foo", Unread::Missing { patience_secs: 3600 });
    assert_eq!(farm.write_pages(), [file], "at once: an event had said so");
}

#[test]
fn events_come_again_late_and_out_of_order_and_nothing_is_lost_or_believed_twice() {
    let mut farm = Farm::with_abis(&["cp311"]);
    let sdist = |serial, text: &str| event(serial, "foo", Happening::Sdist(version(text)));
    farm.events(30, vec![sdist(30, "1.1"), sdist(10, "1.0")]);
    assert_eq!(farm.feed().serial, 30);
    let again = farm.events(30, vec![sdist(10, "1.0"), sdist(30, "1.1")]);
    assert_eq!(again.registered, 0);
    // younger than what is known of the package: not believed, the page is read
    farm.events(30, vec![event(20, "foo", Happening::ReleaseRemoved(version("1.1")))]);
    assert_eq!(farm.why_not("foo"), "");
    assert_eq!(farm.due()[0].etag, None);
    // late, but it takes nothing away
    assert_eq!(farm.events(30, vec![sdist(25, "0.9")]).registered, 1);
    farm.events(25, Vec::new());
    assert_eq!(farm.feed().serial, 30, "never backwards");
    let beyond = Query::FeedApply { serial: 30, settled: 0, events: vec![sdist(31, "9")] };
    assert!(farm.refusal(&beyond).contains("beyond"));
}

#[test]
fn an_upload_that_is_told_of_after_its_removal_is_not_built() {
    let mut farm = Farm::with_abis(&["cp311"]);
    farm.page("foo", PageTruth { serial: Some(10), ..truth(vec![release("1.0")]) });
    let job = farm.job("cp311");
    farm.built(&job, &[("cp311", "cp311")]);
    // 2.0 came and went before the page was read; of its coming one hears only now
    farm.events(10, vec![event(6, "foo", Happening::Sdist(version("2.0")))]);
    let due = &farm.due()[0];
    assert_eq!((due.etag.as_deref(), due.serial), (None, 10), "\"unchanged\" would say nothing about 2.0");
    farm.page("foo", PageTruth { serial: Some(10), ..truth(vec![release("1.0")]) });
    assert_eq!(farm.claim("cp311"), None);
}

#[test]
fn what_came_while_a_page_was_looked_at_is_not_answered_by_unchanged() {
    let mut farm = Farm::with_abis(&["cp311"]);
    farm.page("foo", PageTruth { serial: Some(10), ..truth(Vec::new()) });
    farm.events(12, vec![event(12, "foo", Happening::Sdist(version("1.0")))]);
    farm.unread("foo", Unread::Unchanged { serial: 10 });
    assert_eq!(farm.claim("cp311"), None, "nobody has read of it");
    assert_eq!((farm.due()[0].etag.as_deref(), farm.due()[0].serial), (None, 12));
    farm.page("foo", PageTruth { serial: Some(12), ..truth(vec![release("1.0")]) });
    assert_eq!(farm.job("cp311").version, version("1.0"));
    // nor what came late: the page that is known is younger, and was read before
    farm.events(12, vec![event(11, "foo", Happening::Sdist(version("2.0")))]);
    farm.unread("foo", Unread::Unchanged { serial: 12 });
    assert_eq!(farm.claim("cp311"), None);
}

#[test]
fn a_removal_and_a_new_upload_in_one_batch_end_as_the_later_says() {
    let mut farm = Farm::with_abis(&["cp311"]);
    let sdist = |serial| event(serial, "foo", Happening::Sdist(version("1.0")));
    let removed = |serial| event(serial, "foo", Happening::ProjectRemoved);
    farm.events(12, vec![sdist(10), removed(11), sdist(12)]);
    assert_eq!(farm.why_not("foo"), "");
    farm.events(14, vec![sdist(13), removed(14)]);
    assert!(farm.why_not("foo").contains("removed"), "{}", farm.why_not("foo"));
}

#[test]
fn yanks_show_on_the_page_and_what_is_yanked_is_not_handed_out() {
    let mut farm = Farm::with_abis(&["cp311"]);
    farm.publish("foo", "1.0");
    farm.events(20, vec![event(20, "foo", Happening::Yanked(version("1.0")))]);
    assert_eq!(farm.rewrites()[0].rows.files[0].yanked.as_deref(), Some(""));
    assert_eq!(farm.due_names(), ["foo"], "the reason stands on the page");
    farm.page(
        "foo",
        PageTruth {
            serial: Some(20),
            ..truth(vec![ReleaseTruth { yanked: Some("oops".to_owned()), ..release("1.0") }])
        },
    );
    assert_eq!(farm.rewrites()[0].rows.files[0].yanked.as_deref(), Some("oops"));
    farm.write_pages();
    farm.events(21, vec![event(21, "foo", Happening::Unyanked(version("1.0")))]);
    assert_eq!(farm.rewrites()[0].rows.files[0].yanked, None);
}

#[test]
fn a_source_distribution_that_comes_later_is_found() {
    let mut farm = Farm::with_abis(&["cp311"]);
    farm.releases("foo", vec![release("1.0")]);
    farm.job("cp311");
    farm.releases(
        "foo",
        vec![release("1.0"), ReleaseTruth { sdist: false, wanted: false, ..release("2.0") }],
    );
    assert_eq!(farm.claim("cp311"), None);
    farm.releases("foo", vec![release("1.0"), release("2.0")]);
    assert_eq!(farm.job("cp311").version, version("2.0"));
}

#[test]
fn a_version_is_built_for_the_pythons_that_may_install_it_only() {
    let mut farm = Farm::with_abis(&["cp39", "cp311", "cp312"]);
    let only_311 = ReleaseTruth { pythons: Some(1 << 11), ..release("1.0") };
    let learned = farm.releases("foo", vec![only_311]);
    assert_eq!(learned.opened, [abi("cp311")]);
    let job = farm.job("cp311");
    assert_eq!(farm.failed(&job), crate::farm::SETTLED, "and cp312 is not opened");
    let why = farm.why("foo", None).unwrap();
    let states: Vec<_> = why["versions"][0]["builds"]
        .as_array()
        .unwrap()
        .iter()
        .map(|b| b["state"].as_str().unwrap())
        .collect();
    assert_eq!(states, ["off", "failed", "off"]);
    // a page that says less restricts less
    farm.releases("foo", vec![release("1.0")]);
    farm.job("cp39");
}

#[test]
fn the_index_wheel_for_an_abi_settles_it_where_the_policy_says_so() {
    let mut farm = Farm::with_abis(&[]);
    for (tag, platform) in [("cp311", "linux_armv7l"), ("cp312", "linux_armv7l"), ("cp313", "linux_armv7l")] {
        let abi = abi(tag);
        let rank = abi.default_rank();
        farm.ask(&Query::AddAbi { abi, rank, platforms: vec![platform.to_owned()] });
    }
    farm.walk();
    let tags = [
        "cp311-cp311-manylinux_2_31_armv7l.manylinux2014_armv7l",
        "cp312-cp312-manylinux_2_17_x86_64",
        "cp312-cp312-musllinux_1_2_armv7l",
    ];
    let served = ReleaseTruth { tags: tags.map(str::to_owned).to_vec(), ..release("1.0") };
    farm.releases("foo", vec![served]);
    farm.execute("INSERT INTO piw.policy VALUES ('wheels', 'any', 'why not', now())");
    farm.execute("INSERT INTO piw.walk VALUES ('judge', 0)");
    farm.walk();
    assert_eq!(farm.claim("cp311"), None);
    let job = farm.job("cp312");
    farm.failed(&job);
    assert_eq!(farm.job("cp313").version, version("1.0"));
}

#[test]
fn a_release_cools_down_and_is_looked_at_again_before_it_is_handed_out() {
    let mut farm = Farm::with_abis(&["cp311"]);
    farm.execute(
        "INSERT INTO piw.policy VALUES ('cooldown', '3600', 'malware is found within the hour', now())",
    );
    let fresh = || ReleaseTruth { released: Some(now() - 60), ..release("1.0") };
    let learned = farm.releases("foo", vec![fresh()]);
    assert_eq!((learned.registered, learned.opened.as_slice()), (1, [].as_slice()));
    assert_eq!(farm.claim("cp311"), None);
    let build = farm.why("foo", None).unwrap()["versions"][0]["builds"][0].clone();
    assert_eq!((build["state"].as_str(), build["reason"].as_str()), (Some("delayed"), Some("cooldown")));
    farm.wait_back_off();
    assert_eq!(farm.claim("cp311"), None, "its page is read once more");
    assert_eq!(farm.due_names(), ["foo"]);
    farm.releases("foo", vec![ReleaseTruth { released: Some(now() - 4000), ..release("1.0") }]);
    farm.job("cp311");
    // what people asked for does not wait
    farm.add_all(vec![Wanted { released: Some(now()), ..wanted("bar", "1.0") }]);
    assert_eq!(farm.job("cp311").package, name("bar"));
}

#[test]
fn a_page_that_cannot_be_read_lets_the_others_pass() {
    let mut farm = Farm::with_abis(&["cp311"]);
    for (serial, package) in [(1, "a"), (2, "b")] {
        farm.events(serial, vec![event(serial, package, Happening::Sdist(version("1.0")))]);
    }
    assert_eq!(farm.due_names(), ["a", "b"]);
    farm.unread("a", Unread::Failed { retry_secs: 600 });
    assert_eq!(farm.due_names(), ["b"]);
    let build = farm.why("a", None).unwrap()["versions"][0]["builds"][0].clone();
    assert_eq!((build["state"].as_str(), build["reason"].as_str()), (Some("delayed"), Some("page")));
    farm.wait_back_off();
    assert_eq!(farm.due_names(), ["a", "b"]);
    assert_eq!(farm.claim("cp311"), None);
}

#[test]
fn only_the_head_of_the_queue_is_looked_ahead_for() {
    let mut farm = Farm::with_abis(&["cp311"]);
    let events = (1..=40).map(|n| {
        let happened = Happening::Sdist(version("1.0"));
        IndexEvent { at: now() - 1000 + n as i64, ..event(n, &format!("p{n:02}"), happened) }
    });
    farm.events(40, events.collect());
    let Answer::PagesDue(due) = farm.ask(&Query::PagesDue { limit: 5, ahead: 2 }) else { panic!() };
    assert_eq!(due.len(), 5);
    for page in ["p01", "p02"] {
        farm.page(
            page,
            PageTruth { serial: Some(40), display: page.to_owned(), ..truth(vec![release("1.0")]) },
        );
    }
    let Answer::PagesDue(due) = farm.ask(&Query::PagesDue { limit: 5, ahead: 2 }) else { panic!() };
    assert_eq!(due, [], "two jobs are ready");
    farm.job("cp311");
    let Answer::PagesDue(due) = farm.ask(&Query::PagesDue { limit: 5, ahead: 2 }) else { panic!() };
    assert!(!due.is_empty());
}

#[test]
fn new_releases_come_before_the_newest_that_come_before_the_rest_and_pre_releases_last() {
    let mut farm = Farm::with_abis(&["cp311"]);
    let at = |text: &str, released| ReleaseTruth { released: Some(released), ..release(text) };
    farm.releases(
        "old",
        vec![at("1.0", 1_600_000_000), at("2.0", 1_700_000_000), at("3.0b1", 1_700_000_001)],
    );
    farm.releases("new", vec![at("1.0", 1_600_000_000), at("1.1", now() - 3600)]);
    farm.releases("beta", vec![at("0.1b1", 1_600_000_000), at("0.1b2", 1_650_000_000)]);
    farm.add("asked", "1.0");
    let order: Vec<String> = std::iter::from_fn(|| farm.claim("cp311"))
        .map(|job| format!("{} {}", job.package, job.version))
        .collect();
    assert_eq!(
        order,
        ["asked 1.0", "new 1.1", "old 2.0", "beta 0.1b2", "old 1.0", "new 1.0", "beta 0.1b1", "old 3.0b1",]
    );
}

#[test]
fn the_popular_come_first_within_their_class_and_nobodys_release_waits_for_ever() {
    let mut farm = Farm::with_abis(&["cp311"]);
    let at = |released| vec![ReleaseTruth { released: Some(released), ..release("1.0") }];
    let newest = now();
    farm.releases("quiet-new", at(newest - 7200));
    farm.releases("loud-new", at(newest - 60));
    farm.releases("quiet-old", at(1_600_000_000));
    farm.releases("loud-old", at(1_500_000_000));
    farm.execute("UPDATE piw.package SET dl_bucket = 8 WHERE name LIKE 'loud%'");
    farm.execute("SELECT piw._reprioritise(pkg_id) FROM piw.package");
    let claim = |farm: &mut Farm, class| {
        let query = Query::Claim {
            abi: abi("cp311"),
            slave: "pi".to_owned(),
            secret: crate::farm::secret(),
            lease_secs: 60,
            class,
        };
        let Answer::Claimed(job) = farm.ask(&query) else { panic!() };
        job.map(|job| job.package.to_string())
    };
    // the turn of the back-catalogue, whatever is new
    assert_eq!(claim(&mut farm, 2).as_deref(), Some("loud-old"));
    assert_eq!(claim(&mut farm, 0).as_deref(), Some("loud-new"), "four hours earlier for 8 bits");
    farm.releases("loud-newer", at(newest));
    farm.execute("UPDATE piw.version SET released = released - interval '4 hours' WHERE ver_id = 1");
    farm.execute("SELECT piw._reprioritise(pkg_id) FROM piw.package");
    farm.execute("UPDATE piw.package SET dl_bucket = 8 WHERE name = 'loud-newer'");
    farm.execute("SELECT piw._reprioritise(pkg_id) FROM piw.package");
    assert_eq!(claim(&mut farm, 0).as_deref(), Some("quiet-new"), "it has waited long enough");
    assert_eq!(claim(&mut farm, 2).as_deref(), Some("quiet-old"));
    assert_eq!(claim(&mut farm, 4).as_deref(), Some("loud-newer"), "nothing of that class: the next of any");
    assert_eq!(claim(&mut farm, 0), None);
}

#[test]
fn a_newer_version_takes_the_place_of_the_newest_before_it() {
    let mut farm = Farm::with_abis(&["cp311"]);
    let old = |text: &str| ReleaseTruth { released: Some(1_600_000_000), ..release(text) };
    farm.releases("foo", vec![old("1.0")]);
    farm.releases("bar", vec![ReleaseTruth { released: Some(1_500_000_000), ..release("1.0") }]);
    farm.releases("foo", vec![old("1.0"), old("1.1")]);
    let order: Vec<String> = std::iter::from_fn(|| farm.claim("cp311"))
        .map(|job| format!("{} {}", job.package, job.version))
        .collect();
    assert_eq!(order, ["foo 1.1", "bar 1.0", "foo 1.0"]);
}

#[test]
fn the_list_of_all_projects_finds_what_the_changelog_lost() {
    let mut farm = Farm::with_abis(&["cp311"]);
    for (serial, package) in [(10, "a"), (11, "gone"), (12, "m"), (13, "z")] {
        farm.events(serial, vec![event(serial, package, Happening::Other)]);
    }
    let listed =
        |package: &str, serial| ListedProject { package: name(package), display: package.to_owned(), serial };
    let compare = |farm: &mut Farm, projects: Vec<ListedProject>, after: Option<&str>, unheard| {
        let after = after.map(name);
        let query = Query::FeedCompare { projects, after, serial_read: 20, unheard };
        let Answer::Compared(due) = farm.ask(&query) else { panic!() };
        due
    };
    assert_eq!(compare(&mut farm, vec![listed("a", 10), listed("m", 15), listed("new", 14)], None, false), 2);
    assert_eq!(farm.due_names(), ["m", "gone"], "one that was lost, one that is gone");
    assert_eq!(
        compare(&mut farm, vec![listed("z", 25)], Some("new"), false),
        0,
        "too young to have been read"
    );
    assert_eq!(
        compare(&mut farm, vec![listed("new", 14)], Some("m"), true),
        1,
        "the changelog does not answer"
    );
    // out of order: what is missing between tells nothing
    assert_eq!(compare(&mut farm, vec![listed("z", 13), listed("b", 0)], None, false), 0);
    farm.ask(&Query::FeedListed(Some("l1".to_owned())));
    assert_eq!(farm.feed().list_etag.as_deref(), Some("l1"));
    assert!(farm.feed().listed_at.is_some());
}

#[test]
fn an_abi_is_opened_in_steps_while_jobs_are_handed_out() {
    let mut farm = Farm::with_abis(&["cp311"]);
    farm.add_all((0..20).map(|n| wanted(&format!("p{n:02}"), "1.0")).collect());
    for _ in 0..19 {
        let job = farm.job("cp311");
        farm.failed(&job);
    }
    let query = Query::AddAbi { abi: abi("cp312"), rank: 9000, platforms: Vec::new() };
    assert!(matches!(farm.ask(&query), Answer::AbiAdded(true, _)));
    let mut steps = 0;
    loop {
        let Answer::Walked { opened, more } = farm.ask(&Query::Walk { limit: 3 }) else { panic!() };
        steps += 1;
        if steps == 2 {
            assert_eq!(farm.claim("cp312").map(|job| job.package), Some(name("p00")), "{opened:?}");
            // the last one of the first ABI, while the walk goes on
            let job = farm.job("cp311");
            farm.failed(&job);
        }
        if !more {
            break;
        }
    }
    assert!(steps > 3, "{steps}");
    let opened = std::iter::from_fn(|| farm.claim("cp312")).count();
    assert_eq!(opened, 19, "each of the others once");
}

#[test]
fn a_new_abi_is_opened_for_what_has_nothing_open_and_for_nothing_else() {
    let mut farm = Farm::with_abis(&["cp311"]);
    let names = ["failed", "covered", "abi3", "delayed", "unread", "building", "waiting"];
    farm.add_all(names.iter().map(|name| wanted(name, "1.0")).collect());
    let job = farm.job("cp311");
    farm.failed(&job);
    let job = farm.job("cp311");
    farm.built(&job, &[("py3", "none")]);
    let job = farm.job("cp311");
    farm.built(&job, &[("cp39", "abi3")]);
    let job = farm.job("cp311");
    farm.log(&job, Outcome::Timeout, Vec::new());
    let job = farm.job("cp311");
    farm.failed(&job);
    farm.execute(
        "UPDATE piw.vstate SET checked = false FROM piw.version v JOIN piw.package p USING (pkg_id) \
         WHERE v.ver_id = vstate.ver_id AND p.name = 'unread'",
    );
    farm.job("cp311");
    assert_eq!(farm.add_abi("cp312"), Some(2));
    assert_eq!(farm.job("cp312").package, name("failed"));
    assert_eq!(farm.claim("cp312"), None, "the other one's page is to be read first");
}

#[test]
fn a_retired_abi_hands_its_versions_on_and_takes_them_up_again() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    farm.add_all((0..5).map(|n| wanted(&format!("p{n}"), "1.0")).collect());
    farm.execute("UPDATE piw.abi SET skip = 'no boards left' WHERE tag = 'cp39'");
    assert!(farm.walk().iter().all(|opened| *opened == abi("cp311")));
    assert_eq!(farm.claim("cp39"), None);
    let job = farm.job("cp311");
    farm.failed(&job);
    let abi39: AbiTag = abi("cp39");
    let rank = abi39.default_rank();
    farm.ask(&Query::AddAbi { abi: abi39, rank, platforms: Vec::new() });
    farm.walk();
    assert_eq!(farm.job("cp39").package, job.package, "nothing else is open for it");
}

#[test]
fn the_farm_is_counted_as_it_goes_and_a_wrong_counter_is_mended() {
    let mut farm = Farm::with_abis(&["cp311"]);
    farm.publish("foo", "1.0");
    farm.add("bar", "1.0");
    let job = farm.job("cp311");
    farm.failed(&job);
    farm.events(5, vec![event(5, "new", Happening::Sdist(version("1.0")))]);
    let count = |farm: &mut Farm| {
        let Answer::Statistics(statistics) = farm.ask(&Query::Statistics) else { panic!() };
        *statistics
    };
    let before = count(&mut farm);
    assert_eq!((before.packages_count, before.packages_built), (3, 1));
    assert_eq!((before.versions_count, before.versions_tried), (3, 2));
    assert_eq!((before.builds_count, before.builds_success, before.builds_last_hour), (2, 1, 2));
    assert_eq!((before.builds_time, before.builds_size, before.files_count), (3000, 1000, 1));
    assert_eq!((before.queued, before.unchecked, before.leased), (0, 1, 0));
    farm.sweep();
    assert_eq!(count(&mut farm), before, "folding changes nothing");
    farm.execute("UPDATE piw.stat_total SET n = n + 5, amount = amount + 7 WHERE kind = 'file'");
    assert_eq!(count(&mut farm).files_count, 6);
    farm.mend();
    assert_eq!(count(&mut farm), before);
    farm.releases("foo", Vec::new());
    assert_eq!((count(&mut farm).files_count, count(&mut farm).packages_built), (0, 0));
    farm.mend();
}

#[test]
fn what_is_kept_for_speed_is_mended_from_what_it_follows_from() {
    let mut farm = Farm::with_abis(&["cp39", "cp311"]);
    for package in ["a", "b", "c", "d"] {
        farm.add(package, "1.0");
    }
    let job = farm.job("cp39");
    farm.built(&job, &[("cp39", "cp39")]);
    let job = farm.job("cp39");
    farm.built(&job, &[("py3", "none")]);
    let held = farm.job("cp39");
    farm.execute(
        "UPDATE piw.vstate SET done = 0, covered = NOT covered, abi3_from = 3001, blocked = true, prio = 99;
         DELETE FROM piw.queue; INSERT INTO piw.queue SELECT ver_id, 2, 7, 1, false FROM piw.vstate;
         UPDATE piw.package SET published = NOT published, newest = NULL;
         DELETE FROM piw.vstate WHERE ver_id = 4",
    );
    farm.mend();
    assert_eq!(farm.job("cp311").package, name("a"));
    assert_eq!(farm.claim("cp311"), None);
    assert_eq!(farm.job("cp39").package, name("d"));
    farm.failed(&held);
}
