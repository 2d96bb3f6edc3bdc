//! What the audit finds, what would mend it, and how it is said. Pure.

use serde_json::{Value, json};

/// Kinds of differences. The names are part of the answer's form: `piw audit --json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Kind {
    /// The database keeps something for speed that does not follow from its rows.
    Database,
    /// A row's file is not there.
    FileMissing,
    /// A row's file has another size or other bytes.
    FileChanged,
    /// A file, a page or a directory cannot be read.
    Unreadable,
    /// A file that was withheld from its page has the right bytes again.
    FileRestored,
    /// The METADATA beside a wheel is not there.
    MetadataMissing,
    /// It has other bytes.
    MetadataChanged,
    /// A file's name for another platform is not there.
    AliasMissing,
    /// It has other bytes than the file.
    AliasChanged,
    /// No row stands for a file.
    ExtraFile,
    /// No row stands for a directory.
    ExtraDirectory,
    /// A page is not there.
    PageMissing,
    /// A page is there and there is nothing to show.
    PageExtra,
    /// The compressed twin of a page is not there, differs from it, or has no page.
    PageTwin,
    /// A page has no link to a file.
    LinkMissing,
    /// A page has a link to what is no file of its project, or twice the same.
    LinkExtra,
    /// A link says another digest, Python or yank than the row.
    LinkWrong,
    /// A link leads nowhere.
    LinkBroken,
    /// The root index does not name a project with files.
    RootMissing,
    /// The root index names something else.
    RootExtra,
    /// The farm knows no build of a log's number.
    LogExtra,
    /// Pages were due whenever this was looked at.
    Unsettled,
}

impl Kind {
    /// Every kind.
    pub(super) const ALL: [Self; 22] = [
        Self::Database,
        Self::FileMissing,
        Self::FileChanged,
        Self::Unreadable,
        Self::FileRestored,
        Self::MetadataMissing,
        Self::MetadataChanged,
        Self::AliasMissing,
        Self::AliasChanged,
        Self::ExtraFile,
        Self::ExtraDirectory,
        Self::PageMissing,
        Self::PageExtra,
        Self::PageTwin,
        Self::LinkMissing,
        Self::LinkExtra,
        Self::LinkWrong,
        Self::LinkBroken,
        Self::RootMissing,
        Self::RootExtra,
        Self::LogExtra,
        Self::Unsettled,
    ];

    /// Its name in JSON and on the terminal.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::FileMissing => "file-missing",
            Self::FileChanged => "file-changed",
            Self::Unreadable => "unreadable",
            Self::FileRestored => "file-restored",
            Self::MetadataMissing => "metadata-missing",
            Self::MetadataChanged => "metadata-changed",
            Self::AliasMissing => "alias-missing",
            Self::AliasChanged => "alias-changed",
            Self::ExtraFile => "extra-file",
            Self::ExtraDirectory => "extra-directory",
            Self::PageMissing => "page-missing",
            Self::PageExtra => "page-extra",
            Self::PageTwin => "page-twin",
            Self::LinkMissing => "link-missing",
            Self::LinkExtra => "link-extra",
            Self::LinkWrong => "link-wrong",
            Self::LinkBroken => "link-broken",
            Self::RootMissing => "root-missing",
            Self::RootExtra => "root-extra",
            Self::LogExtra => "log-extra",
            Self::Unsettled => "unsettled",
        }
    }

    /// The kind of this name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it is only told: an old log does no harm, and its build's row may have gone for a good reason.
    pub(super) const fn is_note(self) -> bool {
        matches!(self, Self::LogExtra)
    }
}

/// What mends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Cure {
    /// The project's pages are written anew.
    Page,
    /// The root index is written anew.
    Root,
    /// The home page is written anew.
    Home,
    /// The METADATA is taken out of the wheel again.
    Metadata,
    /// Nothing mends it; the file must not stay on its page.
    Withhold,
    /// The file goes back on its page.
    Show,
    /// The master removes the name.
    Sweep,
    /// Nothing that this program does.
    None,
}

/// A difference.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Finding {
    /// Of which kind.
    pub(super) kind: Kind,
    /// Where: a path below the web tree, or another name.
    pub(super) path: String,
    /// More, for people.
    pub(super) detail: String,
    /// What mends it.
    pub(super) cure: Cure,
}

impl Finding {
    /// A difference of this kind.
    pub(super) fn new(kind: Kind, path: impl Into<String>, detail: impl Into<String>, cure: Cure) -> Self {
        Self { kind, path: path.into(), detail: detail.into(), cure }
    }

    /// Whether both say that the same is wrong with the same.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.kind == other.kind && self.path == other.path
    }

    /// What its reader can do about it, once the audit did what it could.
    pub(super) const fn help(&self) -> Option<&'static str> {
        match (self.kind, self.cure) {
            (Kind::FileMissing | Kind::FileChanged, _) => Some(
                "put the right bytes back under this name (a backup has them) and run 'piw audit --fix', which then \
                 shows it again; or have it built again under a new one: 'piw requeue PACKAGE==VERSION --class built'",
            ),
            (Kind::ExtraFile | Kind::ExtraDirectory | Kind::PageExtra, Cure::None) => {
                Some("nothing links to it; remove it by hand if nobody needs it")
            }
            (Kind::Unreadable, _) => Some("run this as the account of piw-master; else see to the disk"),
            (Kind::Unsettled, _) => {
                Some("see the master's log for why pages are not written; then run this again")
            }
            _ => None,
        }
    }

    /// As `piw audit --json` gives it.
    pub(super) fn json(&self, mended: bool) -> Value {
        json!({
            "kind": self.kind.name(),
            "path": self.path,
            "detail": self.detail,
            "mended": mended,
            "note": self.kind.is_note(),
            "help": if mended { None } else { self.help() },
        })
    }
}

/// How a line of [`Finding::json`] counts.
pub(super) fn read(line: &Value) -> Option<(Kind, bool)> {
    Some((Kind::named(line["kind"].as_str()?)?, line["mended"].as_bool()?))
}

/// A line of [`Finding::json`] for people.
pub(super) fn shown(line: &Value) -> String {
    let text = |key: &str| line[key].as_str().unwrap_or_default();
    let fate = match (line["note"].as_bool(), line["mended"].as_bool()) {
        (Some(true), _) => "note",
        (_, Some(true)) => "mended",
        _ => "differs",
    };
    let mut said = format!("{fate}: {}: {}", text("path"), text("kind"));
    if text("kind") == Kind::Database.name() {
        said = format!("{fate}: {}", text("detail"));
    } else if !text("detail").is_empty() {
        said += &format!(": {}", text("detail"));
    }
    if !text("help").is_empty() {
        said += &format!("; {}", text("help"));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_of_its_own_and_is_found_by_it() {
        for kind in Kind::ALL {
            assert_eq!(Kind::named(kind.name()), Some(kind));
        }
        let mut names: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), Kind::ALL.len());
    }

    #[test]
    fn a_finding_says_where_what_and_what_helps() {
        let finding = Finding::new(Kind::FileMissing, "simple/foo/foo.whl", "not there", Cure::Withhold);
        let line = finding.json(false);
        assert_eq!(read(&line), Some((Kind::FileMissing, false)));
        let said = shown(&line);
        assert!(
            said.starts_with("differs: simple/foo/foo.whl: file-missing: not there; put the right bytes"),
            "{said}"
        );
        let note = Finding::new(Kind::LogExtra, "logs/0000/0000/0001.txt.gz", "", Cure::None).json(false);
        assert_eq!(shown(&note), "note: logs/0000/0000/0001.txt.gz: log-extra");
        let mended = Finding::new(Kind::PageMissing, "simple/foo/index.html", "", Cure::Page).json(true);
        assert_eq!(shown(&mended), "mended: simple/foo/index.html: page-missing");
    }
}
