//! Whether there is disk enough to hand out more work. Pure.
//!
//! ```text
//!   enough ──free − promised < floor──► held ──free − promised ≥ floor and a quarter more──► enough
//! ```
//!
//! What runs goes on and delivers: the floor is for that. What is promised are the bytes of files that are on their way and
//! not yet here. Inodes are watched the same way, by a floor of their own. It knows of no administrator: whether he has paused
//! the farm is another matter, and neither undoes the other.

use crate::config::Size;
use crate::domain::Millis;
use crate::master::event::Disk;

/// Free inodes that are kept: a published wheel takes some ten, with its pages and their twins. On a small file system a 20th
/// of it.
const INODE_FLOOR: u64 = 2_000;
/// Inodes of a file that is on its way: its parts in the spool, and what its page will take.
const INODES_PER_FILE: u64 = 10;
/// Behind the floor, a share of it, to be free before jobs are handed out again.
const MORE: u64 = 4;

/// What is on its way from slaves and tools.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Promised {
    /// Files that are not checked yet.
    pub files: u64,
    /// Bytes of them that are not on the disk yet.
    pub bytes: u64,
}

impl Promised {
    /// The larger of each.
    pub(super) fn most(self, other: Self) -> Self {
        Self { files: self.files.max(other.files), bytes: self.bytes.max(other.bytes) }
    }
}

/// What has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Nothing is handed out any more.
    Held,
    /// Jobs are handed out again, as far as this is concerned.
    Enough,
}

/// See the module's head.
#[derive(Clone, Debug)]
pub struct DiskWatch {
    floor: u64,
    held: Option<(Millis, String)>,
}

impl DiskWatch {
    /// With this many bytes to be kept free; 0: nothing is watched.
    pub const fn new(floor: u64) -> Self {
        Self { floor, held: None }
    }

    /// Bytes to be kept free.
    pub const fn floor(&self) -> u64 {
        self.floor
    }

    /// Since when nothing is handed out, and why, for people.
    pub fn hold(&self) -> Option<(Millis, &str)> {
        self.held.as_ref().map(|(since, reason)| (*since, reason.as_str()))
    }

    /// The disks are so; logs what changes by it.
    pub(super) fn judge(&mut self, now: Millis, disks: &[Disk], promised: Promised) -> Option<Change> {
        if self.floor == 0 {
            return None;
        }
        let more = if self.held.is_some() { MORE } else { 0 };
        let shortage = disks.iter().find_map(|disk| shortage(disk, self.floor, more, promised));
        match (shortage, &mut self.held) {
            (Some(reason), Some((_, known))) => {
                *known = reason;
                None
            }
            (Some(reason), None) => {
                log::warn!("nothing is handed out any more, and no import taken in: {reason}; builds go on");
                self.held = Some((now, reason));
                Some(Change::Held)
            }
            (None, Some((since, _))) => {
                let minutes = now.since(*since).0.div_ceil(60_000);
                log::warn!("there is disk enough to hand out jobs again, after {minutes} min");
                self.held = None;
                Some(Change::Enough)
            }
            (None, None) => None,
        }
    }
}

/// What is missing of a disk, for people. `more`: so many parts of the floor beyond it, as a divisor; 0 for none.
fn shortage(disk: &Disk, floor: u64, more: u64, promised: Promised) -> Option<String> {
    let wanted = |floor: u64| floor.saturating_add(floor.checked_div(more).unwrap_or(0));
    let path = &disk.path;
    if disk.free < wanted(floor).saturating_add(promised.bytes) {
        let promise = match promised.bytes {
            0 => String::new(),
            bytes => format!(" and {} promised to files on their way", Size(bytes).roughly()),
        };
        return Some(format!(
            "the disk of {path} has {} free, with {} to be kept (--disk-floor){promise}",
            Size(disk.free).roughly(),
            Size(floor).roughly()
        ));
    }
    // some file systems have as many as are asked for, and say 0 or nothing
    let (all, free) = (disk.inodes.filter(|all| *all > 0)?, disk.inodes_free?);
    let floor = INODE_FLOOR.min(all / 20);
    (free < wanted(floor).saturating_add(promised.files * INODES_PER_FILE)).then(|| {
        format!("the file system of {path} has {free} inodes free of {all}, with {floor} to be kept")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const G: u64 = 1 << 30;
    const NOTHING: Promised = Promised { files: 0, bytes: 0 };

    fn disk(free: u64) -> Vec<Disk> {
        let inodes = Some(1_000_000);
        vec![Disk { path: "/srv/www".to_owned(), size: 64 * G, free, inodes, inodes_free: inodes }]
    }

    #[test]
    fn it_holds_below_the_floor_and_lets_go_a_quarter_above() {
        let mut watch = DiskWatch::new(4 * G);
        assert_eq!(watch.judge(Millis(0), &[], NOTHING), None, "what was not looked at is enough");
        assert_eq!(watch.judge(Millis(0), &disk(4 * G), NOTHING), None);
        assert_eq!(watch.judge(Millis(1), &disk(4 * G - 1), NOTHING), Some(Change::Held));
        assert_eq!(watch.judge(Millis(2), &disk(4 * G), NOTHING), None);
        assert_eq!(
            watch.hold(),
            Some((Millis(1), "the disk of /srv/www has 4G free, with 4G to be kept (--disk-floor)"))
        );
        assert_eq!(watch.judge(Millis(3), &disk(5 * G - 1), NOTHING), None);
        assert_eq!(watch.judge(Millis(4), &disk(5 * G), NOTHING), Some(Change::Enough));
        assert_eq!(watch.judge(Millis(5), &disk(4 * G), NOTHING), None);
        assert_eq!(watch.hold(), None);
    }

    #[test]
    fn what_is_promised_is_not_free() {
        let mut watch = DiskWatch::new(G);
        let promised = |bytes| Promised { files: 1, bytes };
        assert_eq!(watch.judge(Millis(0), &disk(3 * G), promised(2 * G)), None);
        assert_eq!(watch.judge(Millis(0), &disk(3 * G), promised(2 * G + 1)), Some(Change::Held));
        let (_, reason) = watch.hold().unwrap();
        assert!(
            reason.ends_with("with 1G to be kept (--disk-floor) and 2.0G promised to files on their way"),
            "{reason}"
        );
        assert_eq!(watch.judge(Millis(0), &disk(3 * G), promised(u64::MAX)), None, "still");
        // it has come, and is on the disk now
        assert_eq!(watch.judge(Millis(0), &disk(2 * G), NOTHING), Some(Change::Enough));
    }

    #[test]
    fn inodes_are_watched_where_there_are_some() {
        let mut watch = DiskWatch::new(G);
        let with = |all, free| vec![Disk { inodes: all, inodes_free: free, ..disk(9 * G).remove(0) }];
        for none in [with(None, None), with(Some(0), Some(0)), with(Some(4_000_000), Some(2_000))] {
            assert_eq!(watch.judge(Millis(0), &none, NOTHING), None, "{none:?}");
        }
        assert_eq!(watch.judge(Millis(0), &with(Some(4_000_000), Some(1_999)), NOTHING), Some(Change::Held));
        assert_eq!(watch.judge(Millis(0), &with(Some(4_000_000), Some(2_499)), NOTHING), None);
        assert_eq!(
            watch.judge(Millis(0), &with(Some(4_000_000), Some(2_500)), NOTHING),
            Some(Change::Enough)
        );
        // a small one has few, and most of them are free
        assert_eq!(watch.judge(Millis(0), &with(Some(1_000), Some(50)), NOTHING), None);
        assert_eq!(watch.judge(Millis(0), &with(Some(1_000), Some(49)), NOTHING), Some(Change::Held));
    }

    #[test]
    fn the_worst_disk_counts_and_a_floor_of_nothing_watches_none() {
        let both = [disk(9 * G), disk(0)].concat();
        assert_eq!(DiskWatch::new(G).judge(Millis(0), &both, NOTHING), Some(Change::Held));
        assert_eq!(DiskWatch::new(0).judge(Millis(0), &both, NOTHING), None);
    }
}
