//! The database as an oracle of the master has it, for what no slave asks.

use piwheels::master::oracle::{self, Session};
use piwheels::master::query::Query;
use postgres::NoTls;

use crate::kit::cluster::MASTER;
use crate::kit::farm::Farm;
use crate::kit::wanted::wanted;

/// Versions that are added in one question.
const AT_ONCE: usize = 5000;

/// A session as an oracle has it.
pub(crate) fn session(farm: &Farm) -> Session {
    let mut config = farm.database().config(MASTER);
    oracle::configure(&mut config);
    config.connect(NoTls).unwrap().into()
}

/// Versions of a project, some more than PyPI's have on the average (facts of the database at full size).
const OF_A_PROJECT: usize = 20;

/// Fills the queue with jobs that nobody has to look up: releases of many projects, so that each build has a page of its own
/// written.
pub(crate) fn fill(farm: &Farm, name: &str, jobs: usize) {
    let mut oracle = session(farm);
    for from in (0..jobs).step_by(AT_ONCE) {
        let release =
            |n: usize| wanted(&format!("{name}-{}", n / OF_A_PROJECT), &format!("1.{}", n % OF_A_PROJECT));
        let wanted = (from..jobs.min(from + AT_ONCE)).map(release).collect();
        oracle::execute(&mut oracle, &Query::AddVersions { wanted, deps: false }).unwrap();
    }
}
