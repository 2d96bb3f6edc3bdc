//! How this machine is doing, for a slave's BUSY and for a master's monitors: load, memory, disk, heat, clock, and whether its processors are slowed down.
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

/// Looks at the machine; `dir` is where builds, or the published files, are written.
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
        throttled: throttled(Path::new("/sys"), &mut buffer),
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

/// Whether the processors are slowed down now: by the word of a Raspberry Pi's firmware, else by that of the kernel's
/// cooling devices; none where neither speaks. That a policy's highest frequency is lower than the processor's says
/// nothing: people set it so, too. Of the firmware, newer kernels say once in their log that hwmon is to be asked
/// instead, which knows of the voltage alone.
fn throttled(sys: &Path, buffer: &mut [u8]) -> Option<bool> {
    firmware_throttles(sys, buffer).or_else(|| cooling_throttles(sys, buffer))
}

/// The driver's devices are links: there is one, and its name varies between boards.
fn firmware_throttles(sys: &Path, buffer: &mut [u8]) -> Option<bool> {
    let devices = std::fs::read_dir(sys.join("bus/platform/drivers/raspberrypi-firmware")).ok()?;
    devices.flatten().find_map(|device| text(&device.path().join("get_throttled"), buffer).and_then(now))
}

/// `50005`, hexadecimal: bits 0 to 3 are what is now (too little voltage, frequency capped, throttled, soft limit of
/// temperature), bits 16 to 19 what has been since the start.
pub(crate) fn now(text: &str) -> Option<bool> {
    let bits = u32::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok()?;
    Some(bits & 0xf != 0)
}

/// A cooling device of the processors is at work when its state is above 0; some say -1 when they are not.
fn cooling_throttles(sys: &Path, buffer: &mut [u8]) -> Option<bool> {
    const PROCESSORS: [&str; 4] = ["thermal-cpufreq-", "cpufreq-", "Processor", "intel_powerclamp"];
    let mut found = None;
    for device in std::fs::read_dir(sys.join("class/thermal")).ok()?.flatten() {
        if !device.file_name().as_encoded_bytes().starts_with(b"cooling_device") {
            continue;
        }
        let kind = text(&device.path().join("type"), buffer).unwrap_or_default();
        if !PROCESSORS.iter().any(|processor| kind.starts_with(processor)) {
            continue;
        }
        let state = text(&device.path().join("cur_state"), buffer);
        if let Some(state) = state.and_then(|text| text.trim().parse::<i64>().ok()) {
            found = Some(found.unwrap_or(false) || state > 0);
        }
    }
    found
}

/// `0.52 0.58 0.59 1/467 12345`: hundredths of the first.
pub(crate) fn load1(text: &str) -> Option<u32> {
    let (whole, part) = text.split_whitespace().next()?.split_once('.')?;
    let part: u32 = match part.len() {
        2 => part.parse().ok()?,
        _ => return None,
    };
    whole.parse::<u32>().ok()?.checked_mul(100)?.checked_add(part)
}

/// Lines like `MemAvailable:   12345 kB`: total and available, in bytes. An old kernel says only how much is unused.
pub(crate) fn memory(text: &str) -> Option<(u64, u64)> {
    let field = |name: &str| {
        let rest = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kib: u64 = rest.trim().strip_suffix("kB")?.trim().parse().ok()?;
        kib.checked_mul(1024)
    };
    Some((field("MemTotal")?, field("MemAvailable").or_else(|| field("MemFree"))?))
}

/// Thousandths of a degree, as a thermal zone says them, in tenths. What no machine survives is a broken sensor.
pub(crate) fn tenths(text: &str) -> Option<i16> {
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

    /// A /sys with these files in it.
    fn sys(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        dir
    }

    #[test]
    fn a_raspberry_pis_firmware_says_what_is_now_and_not_what_has_been() {
        let firmware = |bits: &str| {
            let sys = sys(&[
                ("devices/platform/soc/soc:firmware/get_throttled", bits),
                ("bus/platform/drivers/raspberrypi-firmware/uevent", ""),
                ("class/thermal/cooling_device0/type", "thermal-cpufreq-0\n"),
                ("class/thermal/cooling_device0/cur_state", "1\n"),
            ]);
            let device = sys.path().join("devices/platform/soc/soc:firmware");
            let link = sys.path().join("bus/platform/drivers/raspberrypi-firmware/soc:firmware");
            std::os::unix::fs::symlink(device, link).unwrap();
            throttled(sys.path(), &mut [0; FILE_BYTES])
        };
        for (bits, is) in [("0\n", false), ("50000\n", false), ("e0000", false), ("0x0", false)] {
            assert_eq!(firmware(bits), Some(is), "{bits}");
        }
        for bits in ["1\n", "2", "50005\n", "8", "f000f", "0x4"] {
            assert_eq!(firmware(bits), Some(true), "{bits}");
        }
        assert_eq!(firmware("odd"), Some(true), "the kernel's word, where the firmware's is none");
    }

    #[test]
    fn a_cooling_device_of_the_processors_that_is_at_work_slows_them_down() {
        let cooling = |devices: &[(&str, &str)]| {
            let files: Vec<(String, &str)> = devices
                .iter()
                .enumerate()
                .flat_map(|(n, (kind, state))| {
                    let device = format!("class/thermal/cooling_device{n}");
                    [(format!("{device}/type"), *kind), (format!("{device}/cur_state"), *state)]
                })
                .collect();
            let files: Vec<(&str, &str)> = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
            throttled(sys(&files).path(), &mut [0; FILE_BYTES])
        };
        assert_eq!(cooling(&[("Processor\n", "0\n"), ("Processor\n", "0\n")]), Some(false));
        assert_eq!(cooling(&[("Processor\n", "3\n"), ("Processor\n", "0\n")]), Some(true));
        assert_eq!(cooling(&[("cpufreq-cpu0", "0"), ("thermal-cpufreq-1", "2")]), Some(true));
        assert_eq!(cooling(&[("intel_powerclamp", "-1"), ("Fan", "1")]), Some(false));
        for told_nothing in [&[("pwm-fan", "4")][..], &[("Processor", "odd")], &[]] {
            assert_eq!(cooling(told_nothing), None, "{told_nothing:?}");
        }
    }

    #[test]
    fn this_machine_has_memory_a_disk_and_a_clock() {
        let vitals = read(Path::new("/"));
        assert!(vitals.memory_total > 0 && vitals.memory_free <= vitals.memory_total, "{vitals:?}");
        assert!(vitals.disk_total > 0 && vitals.disk_free <= vitals.disk_total, "{vitals:?}");
        assert!(vitals.clock_ms > 1_700_000_000_000 && vitals.cpus > 0, "{vitals:?}");
    }
}
