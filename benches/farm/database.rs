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

/// Fills the queue with jobs that nobody has to look up.
pub(crate) fn fill(farm: &Farm, name: &str, jobs: usize) {
    let mut oracle = session(farm);
    for from in (0..jobs).step_by(AT_ONCE) {
        let wanted = (from..jobs.min(from + AT_ONCE)).map(|n| wanted(name, &format!("1.{n}"))).collect();
        oracle::execute(&mut oracle, &Query::AddVersions { wanted, deps: false }).unwrap();
    }
}
