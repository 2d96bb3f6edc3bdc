//! How this machine is doing, for BUSY: load, memory, disk, heat, clock.
//!
//! In: a few small files of /proc and /sys, and statvfs(2) of the work directory, read anew each time into one buffer on
//! the stack. What cannot be read is 0, or none: a sign of life must not hang on a sensor.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::sys::statvfs::statvfs;

use crate::wire::slave::Vitals;

/// /proc/meminfo says what is asked for in its first lines.
const FILE_BYTES: usize = 2048;

/// Looks at the machine; `dir` is where builds write.
pub fn read(dir: &Path) -> Vitals {
    let mut buffer = [0; FILE_BYTES];
    let load1_centi = text(Path::new("/proc/loadavg"), &mut buffer).and_then(load1).unwrap_or(0);
    let (memory_total, memory_free) =
        text(Path::new("/proc/meminfo"), &mut buffer).and_then(memory).unwrap_or((0, 0));
    // the types of these fields differ between systems
    #[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "they are u32 on some systems")]
    let (disk_total, disk_free) = statvfs(dir).map_or((0, 0), |fs| {
        let unit = fs.fragment_size() as u64;
        (unit.saturating_mul(fs.blocks() as u64), unit.saturating_mul(fs.blocks_available() as u64))
    });
    Vitals {
        load1_centi,
        cpus: std::thread::available_parallelism().map_or(0, |n| u16::try_from(n.get()).unwrap_or(u16::MAX)),
        memory_total,
        memory_free,
        disk_total,
        disk_free,
        temperature: hottest(Path::new("/sys/class/thermal"), &mut buffer),
        clock_ms: SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX)),
        throttled: None,
    }
}

/// The beginning of a small file, as far as the buffer goes.
fn text<'a>(path: &Path, buffer: &'a mut [u8]) -> Option<&'a str> {
    let mut file = File::open(path).ok()?;
    let mut length = 0;
    while length < buffer.len() {
        match file.read(&mut buffer[length..]).ok()? {
            0 => break,
            n => length += n,
        }
    }
    std::str::from_utf8(&buffer[..length]).ok()
}

fn hottest(zones: &Path, buffer: &mut [u8]) -> Option<i16> {
    let entries = std::fs::read_dir(zones).ok()?;
    let zones = entries.flatten().filter(|e| e.file_name().as_encoded_bytes().starts_with(b"thermal_zone"));
    zones.filter_map(|zone| text(&zone.path().join("temp"), buffer).and_then(tenths)).max()
}

/// `0.52 0.58 0.59 1/467 12345`: hundredths of the first.
fn load1(text: &str) -> Option<u32> {
    let (whole, part) = text.split_whitespace().next()?.split_once('.')?;
    let part: u32 = match part.len() {
        2 => part.parse().ok()?,
        _ => return None,
    };
    whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(part)
}

/// Lines like `MemAvailable:   12345 kB`: total and available, in bytes. An old kernel says only how much is unused.
fn memory(text: &str) -> Option<(u64, u64)> {
    let field = |name: &str| {
        let rest = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kib: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
        kib.checked_mul(1024)
    };
    Some((field("MemTotal")?, field("MemAvailable").or_else(|| field("MemFree"))?))
}

/// Thousandths of a degree, as a thermal zone says them, in tenths. What no machine survives is a broken sensor.
fn tenths(text: &str) -> Option<i16> {
    let thousandths: i32 = text.trim().parse().ok()?;
    if (-100_000..=200_000).contains(&thousandths) { i16::try_from(thousandths / 100).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_kernel_says_is_read_and_anything_else_is_nothing() {
        assert_eq!(load1("0.52 0.58 0.59 1/467 12345\n"), Some(52));
        assert_eq!(load1("12.07 1 1"), Some(1207));
        for odd in ["", "1", "1.5 0", "-1.00 0", "x.yz", "99999999999.00"] {
            assert_eq!(load1(odd), None, "{odd}");
        }
        let info = "MemTotal:        948280 kB\nMemFree:          1000 kB\nMemAvailable:     654321 kB\n";
        assert_eq!(memory(info), Some((948_280 * 1024, 654_321 * 1024)));
        assert_eq!(memory("MemTotal: 10 kB\nMemFree: 4 kB\n"), Some((10_240, 4_096)));
        for odd in ["", "MemTotal: 10 kB", "MemTotal: 10\nMemFree: 4", "MemTotal: x kB\nMemFree: 4 kB"] {
            assert_eq!(memory(odd), None, "{odd}");
        }
        assert_eq!((tenths("48312\n"), tenths("-5000")), (Some(483), Some(-50)));
        for odd in ["", "hot", "2147483647", "-273200"] {
            assert_eq!(tenths(odd), None, "{odd}");
        }
    }

    #[test]
    fn the_hottest_zone_counts_and_a_broken_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        for (zone, temp) in
            [("thermal_zone0", "41000"), ("thermal_zone1", "52900"), ("thermal_zone2", "error")]
        {
            std::fs::create_dir(dir.path().join(zone)).unwrap();
            std::fs::write(dir.path().join(zone).join("temp"), temp).unwrap();
        }
        std::fs::create_dir(dir.path().join("cooling_device0")).unwrap();
        let mut buffer = [0; FILE_BYTES];
        assert_eq!(hottest(dir.path(), &mut buffer), Some(529));
        assert_eq!(hottest(&dir.path().join("none"), &mut buffer), None);
    }

    #[test]
    fn this_machine_has_memory_a_disk_and_a_clock() {
        let vitals = read(Path::new("/"));
        assert!(vitals.memory_total > 0 && vitals.memory_free <= vitals.memory_total, "{vitals:?}");
        assert!(vitals.disk_total > 0 && vitals.disk_free <= vitals.disk_total, "{vitals:?}");
        assert!(vitals.clock_ms > 1_700_000_000_000 && vitals.cpus > 0, "{vitals:?}");
    }
}
