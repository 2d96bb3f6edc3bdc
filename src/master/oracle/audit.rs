//! Questions and orders of the audit of the web tree.

use postgres::types::Type;

use super::{Failure, Parameters, Session, ask, ask_unnamed, read};
use crate::domain::ProjectName;
use crate::master::query::{Answer, Look, TreeOrder};

pub(super) fn look(client: &mut Session, look: &Look) -> Result<Answer, Failure> {
    let json = match look {
        Look::Projects { after, limit } => {
            call(client, "audit_projects($1, $2)", &[(after, Type::TEXT), (&i32::from(*limit), Type::INT4)])?
        }
        Look::Root { after, limit } => {
            call(client, "audit_root($1, $2)", &[(after, Type::TEXT), (&i32::from(*limit), Type::INT4)])?
        }
        Look::Project { project, after, limit } => call(
            client,
            "audit_project($1, $2, $3)",
            &[(&project.as_str(), Type::TEXT), (after, Type::TEXT), (&i32::from(*limit), Type::INT4)],
        )?,
        Look::Strangers(names) => call(client, "audit_strangers($1)", &[(names, Type::TEXT_ARRAY)])?,
        Look::Builds(builds) => {
            let numbers: Vec<i64> = builds.iter().map(|build| build.0).collect();
            call(client, "audit_builds($1)", &[(&numbers, Type::INT8_ARRAY)])?
        }
    };
    Ok(Answer::Report(json))
}

pub(super) fn order(client: &mut Session, order: &TreeOrder) -> Result<Answer, Failure> {
    let json = match order {
        TreeOrder::Withhold { filename, reason } => {
            call(client, "withhold($1, $2)", &[(filename, Type::TEXT), (reason, Type::TEXT)])?
        }
    };
    Ok(Answer::PagesOrdered(json))
}

pub(super) fn unclaimed(
    client: &mut Session,
    project: &ProjectName,
    names: &[String],
) -> Result<Answer, Failure> {
    let rows = ask(
        client,
        "SELECT n FROM piw.unclaimed($1, $2) AS n",
        &[(&project.as_str(), Type::TEXT), (&names, Type::TEXT_ARRAY)],
    )?;
    Ok(Answer::Unclaimed(rows.iter().map(|row| read(row, 0)).collect::<Result<_, Failure>>()?))
}

fn call(client: &mut Session, call: &str, parameters: Parameters<'_>) -> Result<String, Failure> {
    read(&ask_unnamed(client, &format!("SELECT piw.{call}"), parameters)?, 0)
}
