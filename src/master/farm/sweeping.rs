//! Files without a row go only where no build under way may be about to give them one. A build's files are in place before its
//! row is: whoever asks for a name to be swept is not heard while a build offers it, neither when the database is asked for
//! rows nor when the writer is told, which spares what was placed within the last day. So whatever placed a name that is removed
//! had ended before the database was asked, and left no row.

use super::Farm;
use crate::domain::ProjectName;
use crate::master::event::{ConnId, DiskRequest, Effect, Out};
use crate::wire::List;
use crate::wire::import::FromTool;

impl Farm {
    /// Takes the names that builds under way offer out of a request to sweep.
    pub(super) fn spare(&self, message: FromTool) -> FromTool {
        match message {
            FromTool::Sweep { project, names } => {
                let mut names = names.into_vec();
                names.retain(|name| !self.is_offered(name));
                FromTool::Sweep { project, names: List::cut(names) }
            }
            other => other,
        }
    }

    /// The database has nothing that stands for these names.
    pub(super) fn sweep_files(
        &self,
        conn: ConnId,
        project: ProjectName,
        mut names: Vec<String>,
        out: &mut Out,
    ) {
        names.retain(|name| !self.is_offered(name));
        out.effects.push(Effect::Disk(DiskRequest::Sweep(conn, project, names)));
    }

    fn is_offered(&self, name: &str) -> bool {
        self.publisher.is_offered(name.strip_suffix(".metadata").unwrap_or(name))
    }
}
