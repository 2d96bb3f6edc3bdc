//! What the database says is to be in the web tree: the master's answers, read. Pure.

use serde_json::Value;

use crate::domain::Sha256;

/// A file that is to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    /// The wheel's file name.
    pub(super) filename: String,
    /// The file of which this is another name, for another platform.
    pub(super) alias_of: Option<String>,
    /// Bytes.
    pub(super) size: u64,
    /// Of its bytes.
    pub(super) sha256: Sha256,
    /// Of its `.metadata` file, where it has one: the original's files have none.
    pub(super) metadata_sha256: Option<Sha256>,
    /// `Requires-Python` of its METADATA.
    pub(super) requires_python: Option<String>,
    /// PEP 592: the reason, which may be empty.
    pub(super) yanked: Option<String>,
    /// Why it is kept from its page.
    pub(super) withheld: Option<String>,
}

/// A project.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Project {
    /// Its canonical name.
    pub(super) name: String,
    /// The farm knows it.
    pub(super) known: bool,
    /// It may be shown: it is not under quarantine.
    pub(super) shown: bool,
    /// It has a page of builds.
    pub(super) builds: bool,
    /// Its pages are to be written.
    pub(super) due: bool,
    /// Names that were withdrawn and are just going.
    pub(super) pending: Vec<String>,
    /// Its files, in the order of their names.
    pub(super) files: Vec<Row>,
}

impl Project {
    /// Takes a piece of the answer to AUDIT_PROJECT in; the name to go on after, if there is more.
    pub(super) fn add(&mut self, piece: &Value) -> Result<Option<String>, String> {
        let flag = |key: &str| piece[key].as_bool().ok_or_else(|| odd(key));
        self.name = text(&piece["name"]).ok_or_else(|| odd("name"))?;
        // what changes between two pieces is due by then
        self.due |= flag("due")?;
        (self.known, self.shown, self.builds) = (flag("known")?, flag("shown")?, flag("builds")?);
        self.pending.extend(texts(&piece["pending"])?);
        for file in piece["files"].as_array().ok_or_else(|| odd("files"))? {
            self.files.push(row(file)?);
        }
        Ok(text(&piece["next"]))
    }

    /// The files that its page shows.
    pub(super) fn on_page(&self) -> impl Iterator<Item = &Row> {
        self.files.iter().filter(|row| self.shown && row.withheld.is_none())
    }
}

fn row(file: &Value) -> Result<Row, String> {
    let digest = |key: &str| text(&file[key]).map(|hex| sha256(&hex).ok_or_else(|| odd(key))).transpose();
    Ok(Row {
        filename: text(&file["filename"]).ok_or_else(|| odd("filename"))?,
        alias_of: text(&file["alias_of"]),
        size: file["size"].as_u64().ok_or_else(|| odd("size"))?,
        sha256: digest("sha256")?.ok_or_else(|| odd("sha256"))?,
        metadata_sha256: digest("metadata_sha256")?,
        requires_python: text(&file["requires_python"]),
        yanked: text(&file["yanked"]),
        withheld: text(&file["withheld"]),
    })
}

/// A piece of the answer to AUDIT_PROJECTS or AUDIT_ROOT.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Projects {
    /// The root index or the home page is to be written.
    pub(super) due: bool,
    /// The name to go on after, if there is more.
    pub(super) next: Option<String>,
    /// Names, in their order.
    pub(super) names: Vec<String>,
}

/// Reads it.
pub(super) fn projects(answer: &Value) -> Result<Projects, String> {
    let is_due = |key: &str| answer[key] == true;
    Ok(Projects {
        due: is_due("root_due") || is_due("home_due"),
        next: text(&answer["next"]),
        names: texts(&answer["projects"])?,
    })
}

/// Reads a list of texts.
pub(super) fn texts(list: &Value) -> Result<Vec<String>, String> {
    let list = list.as_array().ok_or_else(|| odd("list"))?;
    list.iter().map(|entry| text(entry).ok_or_else(|| odd("text"))).collect()
}

/// 64 hexadecimal digits.
pub(super) fn sha256(hex: &str) -> Option<Sha256> {
    if hex.len() != 64 || !hex.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(Sha256(bytes))
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn odd(what: &str) -> String {
    format!("the master's answer has no readable {what}: is it of this version?")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_project_is_put_together_from_pieces() {
        let mut project = Project::default();
        let file = |name: &str| {
            json!({"filename": name, "alias_of": null, "size": 5, "sha256": "ab".repeat(32),
                   "metadata_sha256": null, "requires_python": ">=3", "yanked": "", "withheld": null})
        };
        let piece = |due: bool, next: Option<&str>, name: &str, pending: &[&str]| {
            json!({"name": "foo", "known": true, "shown": true, "builds": true, "due": due, "pending": pending,
                   "next": next, "files": [file(name)]})
        };
        let next = project.add(&piece(true, Some("a.whl"), "a.whl", &["x.whl"])).unwrap();
        assert_eq!(next.as_deref(), Some("a.whl"));
        assert_eq!(project.add(&piece(false, None, "b.whl", &[])).unwrap(), None);
        assert!(project.due, "it was, when the first piece was read");
        assert_eq!((project.files.len(), project.pending.len()), (2, 1));
        assert_eq!(project.files[0].sha256, Sha256([0xab; 32]));
        assert_eq!(project.files[0].yanked.as_deref(), Some(""));
        project.files[0].withheld = Some("lost".to_owned());
        assert_eq!(project.on_page().count(), 1);
        project.shown = false;
        assert_eq!(project.on_page().count(), 0);
    }

    #[test]
    fn what_another_version_answers_is_refused() {
        assert!(Project::default().add(&json!({"name": "foo"})).is_err());
        assert!(projects(&json!({"projects": [{"name": "foo"}]})).is_err());
        assert!(texts(&json!([1])).is_err());
        for bad in ["", "ab", &"zz".repeat(32), &"é".repeat(32)] {
            assert_eq!(sha256(bad), None);
        }
    }
}
