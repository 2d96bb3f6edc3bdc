//! Downloads: partitions, the counts by day, batches that come twice, what is popular, and retention.

use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, SystemTime};

use piwheels::domain::WheelName;
use piwheels::master::query::{Answer, Download, DownloadsLogged, Query};
use piwheels::wire::Text;
use piwheels::wire::import;
use postgres::error::SqlState;

use crate::farm::{Farm, connect, secret};

const DAY: i64 = 86_400;

impl Farm {
    fn log_downloads(&mut self, downloads: Vec<Download>) -> DownloadsLogged {
        self.log_batch(secret(), downloads)
    }

    fn log_batch(&mut self, batch: [u8; 16], downloads: Vec<Download>) -> DownloadsLogged {
        let answer = self.ask(&Query::LogDownloads { batch, downloads });
        let Answer::DownloadsLogged(logged) = answer else { panic!("{answer:?}") };
        logged
    }

    fn roll(&mut self, limit: u16) -> u32 {
        let Answer::PopularityRolled(looked_at) = self.ask(&Query::RollPopularity { limit }) else {
            panic!()
        };
        looked_at
    }

    /// Rolls until today's look is done.
    fn roll_all(&mut self) -> u32 {
        let mut looked_at = 0;
        loop {
            match self.roll(10_000) {
                0 => return looked_at,
                n => looked_at += n,
            }
        }
    }

    fn bucket(&mut self, package: &str) -> i64 {
        self.number("SELECT dl_bucket::bigint FROM piw.package WHERE name = $1", &[&package])
    }

    /// Has a package downloaded so often, so many days ago, without the rows.
    fn downloaded(&mut self, package: &str, days_ago: i64, n: i64) {
        self.execute(&format!(
            "INSERT INTO piw.download_day (day, pkg_id, n)
             SELECT (now() AT TIME ZONE 'UTC')::date - {days_ago}, pkg_id, {n} FROM piw.package WHERE name = '{package}'
             ON CONFLICT (day, pkg_id) DO UPDATE SET n = EXCLUDED.n"
        ));
    }

    /// As if today's look had been yesterday's.
    fn next_day(&mut self) {
        self.execute("UPDATE piw.popularity SET day = day - 1");
    }

    fn partitions(&mut self) -> Vec<String> {
        self.texts(
            "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'piw.download'::regclass ORDER BY 1",
        )
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs().try_into().unwrap()
}

fn download(filename: &str, at: i64) -> Download {
    let none = || Text::new("").unwrap();
    Download {
        package: WheelName::parse(filename).unwrap().project,
        record: import::Download {
            filename: Text::new(filename).unwrap(),
            at,
            address: Some("192.0.2.7".parse::<std::net::Ipv4Addr>().unwrap().to_ipv6_mapped().octets()),
            arch: Text::new("armv7l").unwrap(),
            distro_name: Text::new("Raspbian GNU/Linux").unwrap(),
            distro_version: Text::new("12").unwrap(),
            os_name: Text::new("Linux").unwrap(),
            os_version: none(),
            py_name: Text::new("CPython").unwrap(),
            py_version: Text::new("3.11.2").unwrap(),
            installer_name: Text::new("pip").unwrap(),
            installer_version: Text::new("24.0").unwrap(),
            setuptools_version: none(),
        },
    }
}

fn foo(at: i64) -> Download {
    download("foo-1.0-py3-none-any.whl", at)
}

/// A moment in the month that is so many months after this one, as the database counts them.
fn in_month(farm: &mut Farm, months: i64) -> i64 {
    farm.number(
        "SELECT extract(epoch FROM (date_trunc('month', now() AT TIME ZONE 'UTC') + make_interval(months => $1))
             AT TIME ZONE 'UTC')::bigint",
        &[&i32::try_from(months).unwrap()],
    )
}

#[test]
fn a_download_is_a_row_with_all_that_is_known_and_one_more_in_the_days_count() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let job = farm.job("cp39");
    farm.built(&job, &[("py3", "none")]);
    let at = now();
    let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
    let mut other = foo(at);
    other.record.address = Some(v6.octets());
    let mut nobody = foo(at);
    nobody.record.address = None;
    let logged = farm.log_downloads(vec![foo(at), other, nobody]);
    assert_eq!(logged, DownloadsLogged { stored: 3, unknown: 0, outside: 0 });

    let mut superuser = farm.database.superuser();
    let rows = superuser
        .query(
            "SELECT * FROM piw.download d JOIN piw.package p USING (pkg_id) ORDER BY d.address NULLS LAST",
            &[],
        )
        .unwrap();
    let addresses: Vec<Option<IpAddr>> = rows.iter().map(|row| row.get("address")).collect();
    assert_eq!(addresses, [Some([192, 0, 2, 7].into()), Some(v6.into()), None]);
    let row = &rows[0];
    for (column, value) in [
        ("name", Some("foo")),
        ("filename", Some("foo-1.0-py3-none-any.whl")),
        ("arch", Some("armv7l")),
        ("distro_name", Some("Raspbian GNU/Linux")),
        ("distro_version", Some("12")),
        ("os_name", Some("Linux")),
        ("os_version", None),
        ("py_name", Some("CPython")),
        ("py_version", Some("3.11.2")),
        ("installer_name", Some("pip")),
        ("installer_version", Some("24.0")),
        ("setuptools_version", None),
    ] {
        assert_eq!(row.get::<_, Option<String>>(column).as_deref(), value, "{column}");
    }
    let moment: SystemTime = row.get("at");
    assert_eq!(moment, SystemTime::UNIX_EPOCH + Duration::from_secs(at.try_into().unwrap()));
    assert_eq!(farm.number("SELECT n FROM piw.download_day WHERE pkg_id > 0", &[]), 3);
    farm.sweep();
    let counter = "SELECT n::bigint FROM piw.stat_total WHERE kind = 'download'";
    assert_eq!(farm.number(counter, &[]), 3);
    let bytes = "SELECT amount::bigint FROM piw.stat_total WHERE kind = 'download'";
    assert_eq!(farm.number(bytes, &[]), 3000, "three times a file of 1,000 bytes");
}

#[test]
fn days_and_months_are_those_of_utc_and_a_partition_is_made_for_each_month() {
    let mut farm = Farm::with_abis(&[]);
    farm.add("foo", "1.0");
    farm.execute(&format!("ALTER DATABASE {} SET timezone = 'Pacific/Kiritimati'", farm.database.name));
    farm.client = connect(&farm.database);
    let first = in_month(&mut farm, 0);
    farm.log_downloads(vec![foo(first), foo(first - 1), foo(first + DAY - 1)]);
    let days = farm.texts(
        "SELECT n || ' ' || to_char(day, 'DD') FROM piw.download_day WHERE pkg_id > 0 ORDER BY day DESC",
    );
    assert_eq!(days[0], "2 01");
    assert_eq!(days.len(), 2);
    let months = farm
        .texts("SELECT DISTINCT 'piw.download_' || to_char(day, 'YYYY_MM') FROM piw.download_day ORDER BY 1");
    assert_eq!(farm.partitions(), months);
    let inside = farm.number(&format!("SELECT count(*) FROM {}", months[1]), &[]);
    assert_eq!(inside, 2, "the first moment of the month and its first day's last");
    for statement in ["SELECT * FROM", "DELETE FROM", "DROP TABLE"] {
        let error = farm.client.batch_execute(&format!("{statement} {}", months[0])).unwrap_err();
        assert_eq!(error.code(), Some(&SqlState::INSUFFICIENT_PRIVILEGE), "{statement}");
    }
    let indexes = "SELECT count(*) FROM pg_index WHERE indrelid = $1::text::regclass";
    assert_eq!(farm.number(indexes, &[&months[0]]), 2);
}

#[test]
fn what_is_too_old_or_yet_to_come_is_told_and_not_recorded() {
    let mut farm = Farm::with_abis(&[]);
    farm.add("foo", "1.0");
    let (oldest, end) = (in_month(&mut farm, -24), in_month(&mut farm, 2));
    let mut downloads: Vec<_> = [oldest - 1, end, i64::MIN, i64::MAX, 0].into_iter().map(foo).collect();
    assert_eq!(farm.log_downloads(downloads.clone()), DownloadsLogged { stored: 0, unknown: 0, outside: 5 });
    assert_eq!(farm.partitions().len(), 0);
    downloads.extend([oldest, end - 1].into_iter().map(foo));
    assert_eq!(farm.log_downloads(downloads), DownloadsLogged { stored: 2, unknown: 0, outside: 5 });
    assert_eq!(farm.partitions().len(), 2);
    assert_eq!(farm.number("SELECT count(*) FROM piw.download", &[]), 2);
}

#[test]
fn a_batch_that_comes_again_is_answered_and_not_counted() {
    let mut farm = Farm::with_abis(&[]);
    farm.add("foo", "1.0");
    let (batch, at) = (secret(), now());
    let downloads = vec![foo(at), download("bar-1.0-py3-none-any.whl", at), foo(0)];
    let first = farm.log_batch(batch, downloads.clone());
    assert_eq!(first, DownloadsLogged { stored: 2, unknown: 1, outside: 1 });
    assert_eq!(farm.log_batch(batch, downloads.clone()), first);
    assert_eq!(farm.number("SELECT count(*) FROM piw.download", &[]), 2);
    farm.log_batch(secret(), downloads);
    assert_eq!(
        farm.number("SELECT n FROM piw.download_day WHERE pkg_id > 0", &[]),
        2,
        "in another batch it is another download"
    );

    farm.execute("UPDATE piw.download_batch SET at = at - interval '25 hours'");
    farm.log_downloads(vec![foo(at)]);
    assert_eq!(farm.number("SELECT count(*) FROM piw.download_batch", &[]), 1, "batches are kept for a day");
}

#[test]
fn downloads_of_no_package_are_kept_and_outlive_their_package() {
    let mut farm = Farm::with_abis(&["cp39"]);
    farm.add("foo", "1.0");
    let at = now();
    farm.log_downloads(vec![foo(at)]);
    farm.execute("DELETE FROM piw.package");
    let logged = farm.log_downloads(vec![foo(at)]);
    assert_eq!(logged, DownloadsLogged { stored: 1, unknown: 1, outside: 0 });
    assert_eq!(farm.number("SELECT count(*) FROM piw.download", &[]), 2);
    assert_eq!(farm.number("SELECT count(*) FROM piw.download WHERE pkg_id IS NULL", &[]), 1);
    assert_eq!(farm.number("SELECT sum(n)::bigint FROM piw.download_day WHERE pkg_id > 0", &[]), 1);
    assert_eq!(farm.roll_all(), 1, "a package that is gone harms nothing");
    farm.mend();
}

#[test]
fn two_batches_at_once_in_a_new_month_are_both_recorded() {
    let mut farm = Farm::with_abis(&[]);
    farm.add("foo", "1.0");
    let at = now();
    let asking: Vec<_> = (0..4)
        .map(|_| {
            let mut client = connect(&farm.database);
            std::thread::spawn(move || {
                for _ in 0..20 {
                    let downloads = (0..50).map(|n| foo(at - n * 31 * DAY % (300 * DAY))).collect();
                    let query = Query::LogDownloads { batch: secret(), downloads };
                    piwheels::master::oracle::execute(&mut client, &query).unwrap();
                }
            })
        })
        .collect();
    asking.into_iter().for_each(|thread| thread.join().unwrap());
    assert_eq!(farm.number("SELECT count(*) FROM piw.download", &[]), 4000);
    assert_eq!(farm.number("SELECT sum(n)::bigint FROM piw.download_day WHERE pkg_id > 0", &[]), 4000);
}

#[test]
fn months_before_a_day_are_dropped_and_the_counts_stay() {
    let mut farm = Farm::with_abis(&[]);
    farm.add("foo", "1.0");
    let months = [-3, -2, -1, 0].map(|months| in_month(&mut farm, months));
    farm.log_downloads(months.into_iter().map(foo).collect());
    let drop = |farm: &mut Farm, days: i64| -> i32 {
        let sql = format!(
            "SELECT piw.drop_downloads((to_timestamp({}) AT TIME ZONE 'UTC')::date)",
            months[2] + days * DAY
        );
        farm.client.query_one(&sql, &[]).unwrap().get(0)
    };
    assert_eq!(drop(&mut farm, 0), 2);
    assert_eq!(drop(&mut farm, 5), 0, "the month that the day is in is kept whole");
    assert_eq!(farm.partitions().len(), 2);
    assert_eq!(farm.number("SELECT sum(n)::bigint FROM piw.download_day WHERE pkg_id > 0", &[]), 4);
    assert_eq!(farm.log_downloads(vec![foo(months[0])]).stored, 1, "a late log makes its month anew");
    assert_eq!(farm.partitions().len(), 3);
}

#[test]
fn a_batch_that_meets_a_drop_in_flight_waits_for_it_and_is_recorded() {
    let mut farm = Farm::with_abis(&[]);
    let old = in_month(&mut farm, -3);
    farm.log_downloads(vec![foo(old)]);
    let mut other = connect(&farm.database);
    let mut flight = other.transaction().unwrap();
    flight.query_one("SELECT piw.drop_downloads((now() AT TIME ZONE 'UTC')::date)", &[]).unwrap();
    let query = Query::LogDownloads { batch: secret(), downloads: vec![foo(old), foo(now())] };
    let logging = farm.ask_and_wait_for_its_lock(query);
    flight.commit().unwrap();
    assert!(matches!(logging.join().unwrap(), Answer::DownloadsLogged(DownloadsLogged { stored: 2, .. })));
    assert_eq!(farm.number("SELECT count(*) FROM piw.download", &[]), 2);
}

#[test]
fn a_bucket_is_the_bits_of_the_downloads_of_thirty_days() {
    let mut farm = Farm::with_abis(&[]);
    farm.add("foo", "1.0");
    let bucket = |farm: &mut Farm, n: i64| farm.number("SELECT piw._dl_bucket($1)::bigint", &[&n]);
    for (n, bits) in [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (7, 3), (8, 4), (1 << 39, 40), (1 << 50, 40)] {
        assert_eq!(bucket(&mut farm, n), bits, "{n}");
    }
    for (days_ago, n) in [(0, 1), (29, 2), (30, 100), (-1, 100)] {
        farm.downloaded("foo", days_ago, n);
    }
    assert_eq!(farm.roll_all(), 1);
    assert_eq!(farm.bucket("foo"), 2, "of 30 days, today included");
}

#[test]
fn the_look_goes_on_where_it_was_and_is_done_once_a_day() {
    let mut farm = Farm::with_abis(&[]);
    let packages: Vec<String> = (0..7).map(|n| format!("p{n}")).collect();
    for package in &packages {
        farm.add(package, "1.0");
        farm.downloaded(package, 1, 5);
    }
    farm.add("never", "1.0");
    assert_eq!([farm.roll(3), farm.roll(3)], [3, 3]);
    assert_eq!(farm.number("SELECT count(*) FROM piw.package WHERE dl_bucket = 3", &[]), 6);
    // midnight: the look that is under way is finished before the next one
    farm.next_day();
    assert_eq!(farm.roll(3), 1);
    assert_eq!(farm.bucket("p6"), 3);
    assert_eq!(farm.roll_all(), 7, "the new day's look");
    assert_eq!(farm.roll(3), 0);
    farm.execute("DELETE FROM piw.download_day WHERE pkg_id = (SELECT min(pkg_id) FROM piw.package)");
    farm.downloaded("p0", 40, 5);
    assert_eq!(farm.roll(3), 0, "today's is done");
    assert_eq!(farm.bucket("p0"), 3);
    farm.next_day();
    assert_eq!(farm.roll_all(), 7);
    assert_eq!([farm.bucket("p0"), farm.bucket("never")], [0, 0], "what nobody wants any more sinks");
}

#[test]
fn only_packages_whose_bucket_changed_get_other_priorities() {
    let mut farm = Farm::with_abis(&["cp39"]);
    for package in ["same", "more", "none"] {
        farm.add(package, "1.0");
    }
    farm.downloaded("same", 3, 4);
    farm.downloaded("more", 3, 4);
    farm.roll_all();
    farm.execute(
        "CREATE TABLE public.asked (pkg_id integer);
         CREATE OR REPLACE FUNCTION piw._reprioritise(p_pkg integer) RETURNS void LANGUAGE sql
             AS 'INSERT INTO public.asked VALUES (p_pkg)';
         GRANT INSERT ON public.asked TO piw_owner",
    );
    farm.next_day();
    farm.downloaded("same", 2, 3);
    farm.downloaded("more", 2, 4);
    farm.roll_all();
    assert_eq!(farm.texts("SELECT p.name FROM public.asked JOIN piw.package p USING (pkg_id)"), ["more"]);
}

#[test]
fn what_is_downloaded_is_built_before_what_is_not() {
    let mut farm = Farm::with_abis(&["cp39"]);
    for package in ["first", "second", "third"] {
        farm.add(package, "1.0");
    }
    // as if nobody had asked for them
    farm.execute("UPDATE piw.vstate SET asked = NULL; SELECT piw._judge(ver_id) FROM piw.version");
    farm.downloaded("third", 1, 1000);
    farm.downloaded("second", 1, 1);
    farm.roll_all();
    let order: Vec<String> = (0..3).map(|_| farm.job("cp39").package.to_string()).collect();
    assert_eq!(order, ["third", "second", "first"]);
}

#[test]
fn the_last_months_downloads_are_counted_whatever_package_they_are_of() {
    let mut farm = Farm::with_abis(&[]);
    farm.add("foo", "1.0");
    let at = now();
    farm.log_downloads(vec![
        foo(at),
        foo(at - 10 * DAY),
        download("bar-1.0-py3-none-any.whl", at),
        foo(at - 60 * DAY),
    ]);
    let Answer::Statistics(statistics) = farm.ask(&Query::Statistics) else { panic!() };
    assert_eq!(statistics.downloads_last_month, 3);
}

#[test]
fn a_look_by_somebody_else_is_not_waited_for() {
    let mut farm = Farm::with_abis(&[]);
    farm.add("foo", "1.0");
    farm.downloaded("foo", 0, 1);
    let mut other = connect(&farm.database);
    let mut flight = other.transaction().unwrap();
    assert_eq!(flight.query_one("SELECT piw.roll_popularity(1)", &[]).unwrap().get::<_, i32>(0), 1);
    assert_eq!(farm.roll(1), 0);
    flight.rollback().unwrap();
    assert_eq!(farm.roll(1), 1);
}

#[test]
fn nonsense_is_refused() {
    let mut farm = Farm::with_abis(&[]);
    let batch = "'\\x000102030405060708090a0b0c0d0e0f'";
    let texts = |n: usize| vec![format!("ARRAY['x']::text[]"); n].join(", ");
    let one = format!("ARRAY['a.whl'], ARRAY['a'], ARRAY[1]::bigint[], ARRAY[NULL]::inet[], {}", texts(10));
    for (call, word) in [
        (format!("log_downloads(NULL, {one})"), "16 bytes"),
        (format!("log_downloads('\\x00', {one})"), "16 bytes"),
        (
            format!("log_downloads({batch}, {})", one.replacen("ARRAY['a.whl']", "'{}'", 1)),
            "between 1 and 500",
        ),
        (
            format!("log_downloads({batch}, {})", one.replacen("ARRAY['a.whl']", "NULL", 1)),
            "between 1 and 500",
        ),
        (
            format!(
                "log_downloads({batch}, {})",
                one.replacen("ARRAY['a.whl']", "array_fill('a'::text, '{501}')", 1)
            ),
            "between 1 and 500",
        ),
        (format!("log_downloads({batch}, {})", one.replacen("ARRAY['a']", "'{}'", 1)), "different lengths"),
        (
            format!("log_downloads({batch}, {})", one.replacen("ARRAY['x']::text[]", "NULL", 1)),
            "different lengths",
        ),
        (format!("log_downloads({batch}, {})", one.replacen("'a.whl'", "NULL", 1)), "without file name"),
        (format!("log_downloads({batch}, {})", one.replacen("'a.whl'", "repeat('a', 241)", 1)), "too long"),
        (format!("log_downloads({batch}, {})", one.replacen("'a']", "'']", 1)), "without file name"),
        (format!("log_downloads({batch}, {})", one.replacen("ARRAY[1]", "ARRAY[NULL]", 1)), "or time"),
        (format!("log_downloads({batch}, {})", one.replacen("'x'", "repeat('x', 101)", 1)), "100 bytes"),
        ("drop_downloads(NULL)".to_owned(), "future"),
        ("drop_downloads((now() + interval '2 days')::date)".to_owned(), "future"),
        ("roll_popularity(NULL)".to_owned(), "10,000"),
        ("roll_popularity(0)".to_owned(), "10,000"),
        ("roll_popularity(10001)".to_owned(), "10,000"),
    ] {
        let error = farm.client.batch_execute(&format!("SELECT * FROM piw.{call}")).expect_err(&call);
        assert_eq!(error.code(), Some(&SqlState::INVALID_PARAMETER_VALUE), "{call}: {error:?}");
        let message = error.as_db_error().unwrap().message();
        assert!(message.contains(word), "{call}: {message}");
    }
    assert!(farm.refusal(&Query::RollPopularity { limit: 0 }).contains("10,000"));
}
