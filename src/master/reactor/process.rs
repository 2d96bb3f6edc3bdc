//! What this process uses, and how full its disks are: looked at by a thread of its own, for a file system may not answer.

use std::path::Path;

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::statvfs::statvfs;
use nix::sys::time::TimeValLike;
use nix::unistd::{SysconfVar, sysconf};

use super::super::metrics::figures::ProcessFigures;

/// Looks. What cannot be read is 0, and a disk that cannot be asked is left out.
pub(super) fn look(output: &Path, spool: &Path) -> ProcessFigures {
    let cpu = getrusage(UsageWho::RUSAGE_SELF)
        .map_or(0, |used| used.user_time().num_microseconds() + used.system_time().num_microseconds());
    let (virtual_pages, resident_pages) =
        std::fs::read_to_string("/proc/self/statm").ok().as_deref().and_then(pages).unwrap_or_default();
    let page = sysconf(SysconfVar::PAGE_SIZE).ok().flatten().map_or(0, i64::unsigned_abs);
    let disks = [("output", output), ("spool", spool)];
    ProcessFigures {
        cpu_seconds: cpu as f64 / 1e6,
        virtual_bytes: virtual_pages.saturating_mul(page),
        resident_bytes: resident_pages.saturating_mul(page),
        // the directory itself is open while it is read
        open_files: std::fs::read_dir("/proc/self/fd")
            .map_or(0, |files| files.count().saturating_sub(1) as u64),
        most_files: getrlimit(Resource::RLIMIT_NOFILE).map_or(0, |(soft, _)| soft),
        disks: disks
            .iter()
            .filter_map(|(what, path)| disk(path).map(|(size, free)| (*what, size, free)))
            .collect(),
    }
}

/// The first two numbers of proc_pid_statm(5).
fn pages(text: &str) -> Option<(u64, u64)> {
    let mut numbers = text.split(' ').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// Size of the file system, and what this account may still write; in bytes.
fn disk(path: &Path) -> Option<(u64, u64)> {
    let found = statvfs(path).ok()?;
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "they are u32 on some systems")]
    let bytes = |blocks: u64| (found.fragment_size() as u64).saturating_mul(blocks);
    #[allow(clippy::unnecessary_cast, reason = "the same")]
    Some((bytes(found.blocks() as u64), bytes(found.blocks_available() as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_memory_files_and_a_disk() {
        let before = look(Path::new("/"), Path::new("/no such place"));
        assert!(
            before.resident_bytes > 100_000 && before.virtual_bytes > before.resident_bytes,
            "{before:?}"
        );
        assert!(before.open_files >= 3 && before.most_files >= before.open_files, "{before:?}");
        assert_eq!(before.disks.len(), 1, "a disk that does not answer is no disk that is full");
        assert!(before.disks[0].1 >= before.disks[0].2);
        let _open = [0; 50].map(|_| std::fs::File::open("/").unwrap());
        let after = look(Path::new("/"), Path::new("/"));
        assert!(after.open_files >= before.open_files + 40, "{after:?}");
        assert!(after.cpu_seconds >= before.cpu_seconds);
    }
}
