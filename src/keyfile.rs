//! Files with keys: one `NAME KEY` a line, for the eyes of one account. The master's has a line for each slave, a
//! slave's has its own (manual: none; `wire-spec/auth.md`).

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::wire::auth::Key;
use crate::wire::limits::NAME_KEY_BYTES;

/// More than this is no file of keys: some ten thousand slaves.
const LONGEST: u64 = 2 << 20;
/// What an edited file begins with.
const HEAD: &str =
    "# Keys of build slaves: NAME KEY. Whoever reads this can build for the farm: mode 0600.\n";

/// Names and keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Keys(BTreeMap<String, Key>);

impl Keys {
    /// The key of a name.
    pub fn get(&self, name: &str) -> Option<&Key> {
        self.0.get(name)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The only entry, as a slave's file must have.
    pub fn only(&self) -> Option<(&str, &Key)> {
        let mut entries = self.0.iter();
        match (entries.next(), entries.next()) {
            (Some((name, key)), None) => Some((name, key)),
            _ => None,
        }
    }

    /// Adds a key; false when the name has one.
    pub fn add(&mut self, name: &str, key: Key) -> bool {
        if self.0.contains_key(name) {
            return false;
        }
        self.0.insert(name.to_owned(), key);
        true
    }

    /// Takes a key away; false when there is none of that name.
    pub fn remove(&mut self, name: &str) -> bool {
        self.0.remove(name).is_some()
    }

    /// Reads the text of a file. The error names the line, and never what is in it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut keys = Self::default();
        for (index, line) in text.lines().enumerate() {
            let wrong = |what: &str| format!("line {}: {what}", index + 1);
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let mut words = line.split_whitespace();
            let (Some(name), Some(key), None) = (words.next(), words.next(), words.next()) else {
                return Err(wrong("not a name and a key"));
            };
            check_name(name).map_err(|reason| wrong(&reason))?;
            let key = parse_key(key).ok_or_else(|| wrong("a key has 64 hexadecimal digits"))?;
            if !keys.add(name, key) {
                return Err(wrong("a second key of the same name"));
            }
        }
        Ok(keys)
    }

    /// The text of a file.
    pub(crate) fn format(&self) -> String {
        let lines = self.0.iter().map(|(name, key)| line(name, key) + "\n");
        HEAD.to_owned() + &lines.collect::<String>()
    }

    /// Reads a file. The error is for people. One that others may read is refused.
    pub fn read(path: &Path) -> Result<Self, String> {
        Self::read_beside(path, std::env::var_os("CREDENTIALS_DIRECTORY").as_deref().map(Path::new))
    }

    /// The same; `credentials` is where the service manager puts what it was told to hand over (LoadCredential=).
    fn read_beside(path: &Path, credentials: Option<&Path>) -> Result<Self, String> {
        let at = path.display();
        let failed = |e: io::Error| {
            let next = match e.kind() {
                io::ErrorKind::NotFound => "; 'piw-master --add-slave NAME' prints a key to be put there",
                _ => "",
            };
            format!("cannot read the keys in {at}: {e}{next}")
        };
        let mut file = File::open(path).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        // There the service's account reads by an access list, whose mask stands in the place of the group's rights.
        let others = if lies_in(path, credentials) { 0o037 } else { 0o077 };
        if about.mode() & others != 0 {
            return Err(format!("the keys in {at} are open to others: chmod 600 {at}"));
        }
        let mut text = String::new();
        Read::by_ref(&mut file).take(LONGEST + 1).read_to_string(&mut text).map_err(failed)?;
        if text.len() as u64 > LONGEST {
            return Err(format!("{at} is over {} MiB: it is no file of keys", LONGEST >> 20));
        }
        Self::parse(&text).map_err(|reason| format!("{at}: {reason}"))
    }

    /// The same, and no keys where there is no such file.
    pub fn read_if_there(path: &Path) -> Result<Self, String> {
        if path.symlink_metadata().is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
            return Ok(Self::default());
        }
        Self::read(path)
    }

    /// Puts the file in place, whole and durable or not at all.
    pub fn write(&self, path: &Path) -> Result<(), String> {
        let failed = |e: io::Error| format!("cannot write the keys to {}: {e}", path.display());
        let mut beside = path.as_os_str().to_owned();
        beside.push(".new");
        let beside = PathBuf::from(beside);
        let _ = std::fs::remove_file(&beside);
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside).map_err(failed)?;
        file.write_all(self.format().as_bytes())
            .and_then(|()| file.sync_all())
            .and_then(|()| std::fs::rename(&beside, path))
            .and_then(|()| match path.parent() {
                Some(dir) if !dir.as_os_str().is_empty() => File::open(dir)?.sync_all(),
                _ => File::open(".")?.sync_all(),
            })
            .map_err(failed)
    }
}

fn lies_in(path: &Path, dir: Option<&Path>) -> bool {
    let real = |path: &Path| path.canonicalize().ok();
    dir.and_then(real).is_some_and(|dir| real(path).is_some_and(|path| path.starts_with(dir)))
}

/// One line of a file.
pub fn line(name: &str, key: &Key) -> String {
    let hex: String = key.0.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("{name} {hex}")
}

/// What may name a slave: letters, digits, `.`, `_` and `-`, the first a letter or a digit. The error is for people.
pub fn check_name(name: &str) -> Result<(), String> {
    let sound = name.len() <= NAME_KEY_BYTES
        && name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    if sound {
        return Ok(());
    }
    Err(format!(
        "a slave's name has 1 to {NAME_KEY_BYTES} letters, digits, '.', '_' and '-', and begins with a letter or a digit"
    ))
}

fn parse_key(text: &str) -> Option<Key> {
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = [0; 32];
    for (byte, pair) in key.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(Key(key))
}

/// A key that nobody can guess.
pub fn draw() -> io::Result<Key> {
    let mut key = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut key)?;
    Ok(Key(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn keys_are_written_for_one_account_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        assert!(Keys::read_if_there(&path).unwrap().is_empty());
        let mut keys = Keys::default();
        assert!(keys.add("pi-1", draw().unwrap()) && keys.add("pi-2", draw().unwrap()));
        assert!(!keys.add("pi-1", draw().unwrap()), "a name has one key");
        keys.write(&path).unwrap();
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o600);
        assert_eq!(Keys::read(&path).unwrap(), keys);
        assert!(keys.remove("pi-1") && !keys.remove("pi-1"));
        keys.write(&path).unwrap();
        assert_eq!(Keys::read(&path).unwrap().only().map(|(name, _)| name), Some("pi-2"));

        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        let refused = Keys::read(&path).unwrap_err();
        assert!(refused.contains("chmod 600"), "{refused}");
    }

    #[test]
    fn a_key_from_the_service_manager_may_have_the_mask_of_its_access_list() {
        let dir = tempfile::tempdir().unwrap();
        let (inside, outside) = (dir.path().join("credentials/key"), dir.path().join("key"));
        std::fs::create_dir(dir.path().join("credentials")).unwrap();
        let mut keys = Keys::default();
        keys.add("pi-1", draw().unwrap());
        let credentials = dir.path().join("credentials");
        let read = |path: &Path, mode, credentials: Option<&Path>| {
            keys.write(path).unwrap();
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
            Keys::read_beside(path, credentials).is_ok()
        };
        assert!(read(&inside, 0o440, Some(&credentials)) && read(&inside, 0o400, Some(&credentials)));
        for (path, mode, credentials) in [
            (&inside, 0o440, None),
            (&inside, 0o444, Some(credentials.as_path())),
            (&inside, 0o460, Some(&credentials)),
            (&outside, 0o440, Some(&credentials)),
            (&credentials.join("../key"), 0o440, Some(&credentials)),
        ] {
            assert!(!read(path, mode, credentials), "{} {mode:o}", path.display());
        }
    }

    #[test]
    fn a_file_that_is_too_long_is_refused_whole_and_not_read_in_part() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let mut keys = Keys::default();
        keys.add("pi-1", draw().unwrap());
        keys.write(&path).unwrap();
        let mut file = OpenOptions::new().append(true).open(&path).unwrap();
        file.write_all(&b"#".repeat(LONGEST as usize)).unwrap();
        assert!(Keys::read(&path).unwrap_err().contains("over 2 MiB"));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_line_and_never_shown() {
        let sound = "0f".repeat(32);
        for (text, reason) in [
            (format!("# comment\n\npi {sound}\npi {sound}\n"), "line 4: a second key"),
            (format!("pi {sound}0\n"), "line 1: a key has 64"),
            (format!("pi {}zz\n", &sound[2..]), "line 1: a key has 64"),
            ("pi\n".to_owned(), "line 1: not a name and a key"),
            (format!("../pi {sound}\n"), "line 1: a slave's name"),
            (format!("{} {sound}\n", "a".repeat(65)), "line 1: a slave's name"),
        ] {
            let refused = Keys::parse(&text).unwrap_err();
            assert!(refused.starts_with(reason) && !refused.contains("0f0f"), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn keys_are_read_as_they_are_written(
            entries in proptest::collection::btree_map("[a-zA-Z0-9][a-zA-Z0-9._-]{0,20}", any::<[u8; 32]>(), 0..5),
            noise in "\\PC{0,60}",
        ) {
            let keys = Keys(entries.into_iter().map(|(name, key)| (name, Key(key))).collect());
            prop_assert_eq!(Keys::parse(&keys.format()), Ok(keys));
            let _ = Keys::parse(&noise);
        }
    }
}
