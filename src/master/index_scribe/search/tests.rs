//! How names are cut into files, and what happens to the files.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::*;

struct Site {
    dir: tempfile::TempDir,
    store: Store,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (output, spool) = (dir.path().join("www"), dir.path().join("spool"));
        fs::create_dir(&output).unwrap();
        fs::create_dir(&spool).unwrap();
        let store = Store::new(output, spool);
        Self { dir, store }
    }

    /// Writes the files for these names, a few at a time.
    fn write(&self, names: &[String], most: usize) {
        let mut search = Search::with_limit(&self.store, most);
        let names: Vec<_> =
            names.iter().map(|name| RootName { name: name.clone(), downloads: name.len() as i16 }).collect();
        for piece in names.chunks(7) {
            search.names(piece).unwrap();
            assert!(search.size <= most + 300, "what waits is bounded");
        }
        search.end().unwrap();
    }

    fn names_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("www/search/names")
    }

    /// Every file but twins, and what tells whether it was written again.
    fn standing(&self) -> BTreeMap<String, (Vec<u8>, u64)> {
        let all = fs::read_dir(self.names_dir()).unwrap().map(|entry| entry.unwrap());
        let file = |entry: fs::DirEntry| {
            let name = entry.file_name().into_string().unwrap();
            (!name.ends_with(TWIN))
                .then(|| (name, (fs::read(entry.path()).unwrap(), entry.metadata().unwrap().ino())))
        };
        all.filter_map(file).collect()
    }

    /// What a browser finds that asks as `static/search.js` does.
    fn find(&self, typed: &str) -> Vec<String> {
        let read = |file: &str| -> serde_json::Value {
            serde_json::from_slice(&fs::read(self.dir.path().join("www/search").join(file)).unwrap()).unwrap()
        };
        let index = read("shards.json");
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let mut found: Vec<_> = index["names"].as_array().unwrap().iter().map(|n| text(&n[0])).collect();
        for shard in index["shards"].as_array().unwrap().iter().map(text) {
            if shard.starts_with(typed) || typed.starts_with(&shard) {
                found.extend(
                    read(&format!("names/{}", file_name(&shard)))
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|n| text(&n[0])),
                );
            }
        }
        found.retain(|name| name.starts_with(typed));
        found.sort();
        found
    }
}

fn sorted(names: impl IntoIterator<Item = String>) -> Vec<String> {
    names.into_iter().collect::<BTreeSet<_>>().into_iter().collect()
}

/// Names with everything that is awkward: long common beginnings, names that begin others, one letter, dashes.
fn awkward() -> Vec<String> {
    let tails = ["", "-", "-a", "a", "0", "z", "-zope", "py"];
    let heads = ["a", "django", "django-rest", "index", "indexed", "n", "num", "py", "z"];
    let many = (0..400).map(|n| format!("django-{n:03}"));
    let made = heads.iter().flat_map(|head| tails.iter().map(move |tail| format!("{head}{tail}")));
    sorted(made.chain(many))
}

#[test]
fn every_name_is_found_by_each_of_its_beginnings_however_the_files_are_cut() {
    let names = awkward();
    for most in [60, 200, 1000, 100_000] {
        let site = Site::new();
        site.write(&names, most);
        for name in &names {
            for typed in (1..=name.len()).map(|end| &name[..end]) {
                let expected: Vec<_> = names.iter().filter(|name| name.starts_with(typed)).cloned().collect();
                assert_eq!(site.find(typed), expected, "{typed} with files of {most}");
            }
        }
        let standing = site.standing();
        for (file, (bytes, _)) in &standing {
            // two brackets and a line end; downloads here have two digits at most
            assert!(bytes.len() <= most + 3, "{file} has {} bytes of {most}", bytes.len());
        }
        assert_eq!(standing.len() == 1, most == 100_000, "{:?}", standing.keys());
    }
}

#[test]
fn a_name_that_comes_or_goes_changes_one_file_and_leaves_the_others_alone() {
    let site = Site::new();
    let names = awkward();
    site.write(&names, 1000);
    let before = site.standing();
    site.write(&names, 1000);
    assert_eq!(site.standing(), before, "nothing is written again");
    let more = sorted(names.iter().cloned().chain(["pyzmq".to_owned()]));
    site.write(&more, 1000);
    let after = site.standing();
    let changed: Vec<_> = after.iter().filter(|(file, what)| before.get(*file) != Some(what)).collect();
    assert_eq!(changed.len(), 1, "{changed:?}");
    assert!(String::from_utf8_lossy(&changed[0].1.0).contains("pyzmq"));
    site.write(&names, 1000);
    let bytes = |all: &BTreeMap<String, (Vec<u8>, u64)>| {
        all.iter().map(|(file, (bytes, _))| (file.clone(), bytes.clone())).collect::<Vec<_>>()
    };
    assert_eq!(bytes(&site.standing()), bytes(&before));
}

#[test]
fn files_of_prefixes_that_are_no_more_go_with_their_twins_and_nothing_else_does() {
    let site = Site::new();
    let names = awkward();
    site.write(&names, 200);
    assert!(site.standing().len() > 20);
    fs::write(site.names_dir().join("README"), "the operator's").unwrap();
    site.write(&["django-001".to_owned()], 200);
    let mut all: Vec<_> = fs::read_dir(site.names_dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    all.sort();
    assert_eq!(all, ["README", "_.json", "_.json.gz"]);
    site.write(&[], 200);
    let index = fs::read_to_string(site.dir.path().join("www/search/shards.json")).unwrap();
    assert_eq!(index, "{\"shards\":[],\"names\":[]}\n");
    assert!(!site.names_dir().join("_.json").exists());
}

#[test]
fn what_is_no_canonical_name_becomes_no_file() {
    let site = Site::new();
    for odd in ["../../etc", "A", "a_b", "ä", "<script>"] {
        let mut search = Search::begin(&site.store);
        let name = RootName { name: odd.to_owned(), downloads: 0 };
        assert!(search.names(&[name]).is_err(), "{odd}");
    }
    assert!(!Path::new(&site.names_dir()).exists());
}
