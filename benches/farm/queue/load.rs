//! Fills a farm's database with versions that were never there. Set-based: half a minute for a million.

use std::time::Instant;

use piwheels::domain::Version;

use crate::kit::farm::Farm;

/// Makes so many versions, and what years of building leave behind; what came of it, for people.
pub(super) fn fill(farm: &Farm, versions: u32) -> String {
    let begun = Instant::now();
    let mut superuser = farm.database().superuser();
    superuser.batch_execute(&include_str!("load.sql").replace("{versions}", &versions.to_string())).unwrap();
    superuser.batch_execute("VACUUM (ANALYZE)").unwrap();
    let row = superuser
        .query_one(
            "SELECT pg_size_pretty(pg_database_size(current_database())), (SELECT count(*) FROM piw.package), \
             (SELECT count(*) FROM piw.build), (SELECT count(*) FROM piw.file), (SELECT count(*) FROM piw.queue), \
             (SELECT v.version FROM piw.version v WHERE v.ver_id = 7), \
             (SELECT v.sort_key FROM piw.version v WHERE v.ver_id = 7)",
            &[],
        )
        .unwrap();
    let version = Version::parse(row.get(5)).unwrap();
    assert_eq!(version.sort_key(), row.get::<_, Vec<u8>>(6), "the loader orders versions as the farm does");
    let numbers: Vec<i64> = (1..=4).map(|column| row.get(column)).collect();
    format!(
        "{} packages, {} builds, {} files, {} jobs in the queue: {}, made in {:.0} s",
        numbers[0],
        numbers[1],
        numbers[2],
        numbers[3],
        row.get::<_, String>(0),
        begun.elapsed().as_secs_f64()
    )
}
