//! What the audit of the web tree asks of the master, which knows the rows and has the only hands in the tree.

use serde_json::{Value, json};

use super::{ProjectName, State};
use crate::master::event::{SweptDir, Tree};
use crate::master::query::{Look, Query, TreeOrder};
use crate::wire::import::FromTool;

/// The question that a message asks, and where its tool then stands; `None` when it is none of these. The error is for
/// people.
pub(super) fn question(message: &FromTool) -> Result<Option<(Query, State)>, String> {
    let query = match message {
        FromTool::AuditProjects { after, limit } => {
            Query::Look(Look::Projects { after: some(after), limit: *limit })
        }
        FromTool::AuditRoot { after, limit } => Query::Look(Look::Root { after: some(after), limit: *limit }),
        FromTool::AuditProject { project, after, limit } => {
            Query::Look(Look::Project { project: canonical(project)?, after: some(after), limit: *limit })
        }
        FromTool::AuditStrangers { names } => {
            Query::Look(Look::Strangers(names.iter().map(ToString::to_string).collect()))
        }
        FromTool::AuditBuilds { builds } => Query::Look(Look::Builds(builds.to_vec())),
        FromTool::Withhold { filename, reason } => Query::TreeOrder(TreeOrder::Withhold {
            filename: filename.to_string(),
            reason: reason.as_ref().map(ToString::to_string),
        }),
        FromTool::Sweep { project, names } => {
            let project = canonical(project)?;
            if let Some(odd) = names.iter().find(|name| !is_plain(name)) {
                return Err(format!("{:?} is not a name in a directory", &**odd));
            }
            let names = names.iter().map(ToString::to_string).collect();
            let query = Query::Unclaimed { project: project.clone(), names };
            return Ok(Some((query, State::Sweeping(project))));
        }
        _ => return Ok(None),
    };
    Ok(Some((query, State::Asking)))
}

fn some(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// A directory's name is the canonical one: another spelling is another directory.
fn canonical(name: &str) -> Result<ProjectName, String> {
    match ProjectName::parse(name) {
        Ok(project) if project.as_str() == name => Ok(project),
        Ok(project) => Err(format!("{name:?}: the canonical name is {project}")),
        Err(error) => Err(error.to_string()),
    }
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name != "." && name != ".." && !name.contains('/')
}

/// Where the tree is.
pub(super) fn located(tree: &Tree) -> Value {
    json!({ "output": tree.output, "spool": tree.spool, "device": tree.device, "inode": tree.inode })
}

/// What was removed.
pub(super) fn swept(swept: &SweptDir) -> Value {
    let kept: Vec<_> =
        swept.kept.iter().map(|(name, reason)| json!({ "name": name, "reason": reason })).collect();
    json!({ "removed": swept.removed, "kept": kept, "directory": swept.directory })
}
