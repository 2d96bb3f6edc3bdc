//! The seat: the lock in a database that makes one master the only one that works on it. Which locks those are, how their
//! holders are called, and who they are. Takes no lock itself: the master's warden does, and piw-initdb looks.
//!
//! Both are advisory locks, so they end with their sessions, however those end. A session that is at hand says who it is by
//! its `application_name`, the one thing of `pg_stat_activity` that every role may read of every session.

use std::fmt;

use postgres::{Error, GenericClient};

/// The first key of every lock here; piw-initdb's own is (7303, 1).
const SPACE: i32 = 7303;

/// Which lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// The seat itself: one session's of the one master.
    Seat,
    /// Shared by all sessions through which a master writes: whoever takes the seat knows by it which sessions of a master
    /// before it are still there.
    Writers,
}

impl Lock {
    /// The two numbers.
    pub const fn keys(self) -> (i32, i32) {
        match self {
            Self::Seat => (SPACE, 2),
            Self::Writers => (SPACE, 3),
        }
    }
}

/// Words that begin the name of every session of a master.
const MASTER: &str = "piw-master";
/// PostgreSQL cuts longer names of sessions.
const NAME_BYTES: usize = 63;

/// What the sessions of a master are called: `piw-master 1234 2026-01-31T23:59:59Z host`, with its process and its start.
pub fn name(pid: u32, since: &str, host: &str) -> String {
    let mut name = format!("{MASTER} {pid} {since} {host}");
    // the server has another character for each that is not ASCII, and this one is compared with what it says
    name = name.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).collect();
    name.truncate(NAME_BYTES);
    name
}

/// A session that holds a lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The server's process for it.
    pub backend: i32,
    /// What it is called.
    pub name: String,
}

impl Holder {
    /// The master's process, its start and its machine, where it is a master.
    fn master(&self) -> Option<[&str; 3]> {
        let rest = self.name.strip_prefix(MASTER)?.strip_prefix(' ')?;
        let mut words = rest.splitn(3, ' ');
        Some([words.next()?, words.next()?, words.next()?])
    }

    /// The process, if it is a master's of the machine on which this one, called `own`, is.
    pub fn process_beside(&self, own: &str) -> Option<i32> {
        let own = Self { backend: 0, name: own.to_owned() };
        let ([pid, _, host], [_, _, here]) = (self.master()?, own.master()?);
        // of a long name both may be cut, one more than the other
        (host.starts_with(here) || here.starts_with(host)).then(|| pid.parse().ok().filter(|pid| *pid > 0))?
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.master() {
            Some([pid, since, host]) => write!(f, "piw-master, process {pid} on {host}, since {since}"),
            _ if self.name.is_empty() => write!(f, "session {} of the database", self.backend),
            _ => write!(f, "{}, session {} of the database", self.name, self.backend),
        }
    }
}

/// Who holds a lock of this database.
pub fn holders(client: &mut impl GenericClient, lock: Lock) -> Result<Vec<Holder>, Error> {
    let (space, number) = lock.keys();
    let rows = client.query(
        "SELECT l.pid, coalesce(a.application_name, '') FROM pg_locks l LEFT JOIN pg_stat_activity a ON a.pid = l.pid
         WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 2
            AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
            AND l.classid = $1::bigint::oid AND l.objid = $2::bigint::oid
         ORDER BY l.pid",
        &[&i64::from(space), &i64::from(number)],
    )?;
    rows.iter().map(|row| Ok(Holder { backend: row.try_get(0)?, name: row.try_get(1)? })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_holder_is_told_by_what_it_is_called() {
        let told = |name: &str| Holder { backend: 7, name: name.to_owned() }.to_string();
        let since = "2026-01-31T23:59:59Z";
        assert_eq!(
            told(&name(1234, since, "farm.example")),
            "piw-master, process 1234 on farm.example, since 2026-01-31T23:59:59Z"
        );
        assert_eq!(told("psql"), "psql, session 7 of the database");
        assert_eq!(told(""), "session 7 of the database");
        let beside = |host: &str| {
            let holder = Holder { backend: 7, name: name(1234, since, "pi") };
            holder.process_beside(&name(5, since, host))
        };
        assert_eq!((beside("pi"), beside("farm")), (Some(1234), None));
        assert_eq!(Holder { backend: 7, name: "psql".to_owned() }.process_beside("piw-master"), None);
        let long = name(u32::MAX, since, &"ä".repeat(80));
        assert_eq!(long.len(), NAME_BYTES);
        assert!(told(&long).contains("on ??"), "{long}");
    }
}
