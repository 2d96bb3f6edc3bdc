//! What the audit of the web tree asks and orders. Plain data; the answers are JSON (`wire-spec/import.md`).

use crate::domain::{BuildId, ProjectName};

/// What is to be in the web tree. The SQL function behind each is in `sql/functions/`, under the name that is given here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Look {
    /// `audit_projects`: projects in the order of their names.
    Projects {
        /// After this name; `None` for the beginning.
        after: Option<String>,
        /// At most 1,000.
        limit: u16,
    },
    /// `audit_root`: those of them that the root index names.
    Root {
        /// After this name; `None` for the beginning.
        after: Option<String>,
        /// At most 10,000.
        limit: u16,
    },
    /// `audit_project`: a project's files in the order of their names.
    Project {
        /// Whose.
        project: ProjectName,
        /// After this name; `None` for the beginning.
        after: Option<String>,
        /// At most 1,000.
        limit: u16,
    },
    /// `audit_strangers`: which names are of no project that the tree has anything of. At most 1,000.
    Strangers(Vec<String>),
    /// `audit_builds`: which builds are not known. At most 1,000.
    Builds(Vec<BuildId>),
}

/// What is to become of the web tree; given twice, an order changes nothing the second time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeOrder {
    /// `withhold`: a file is kept from its page, or shown again.
    Withhold {
        /// Which.
        filename: String,
        /// Why, for people; `None` to show it again.
        reason: Option<String>,
    },
}
