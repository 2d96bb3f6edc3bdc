//! Questions about the requirements of what was built.

use postgres::types::Type;

use super::{Failure, Session, ask, odd, package, read};
use crate::domain::WheelName;
use crate::domain::dependencies::Dependency;
use crate::domain::requirement::Extra;
use crate::master::query::{Answer, DepsDue, DepsOrder, RequirementDue, RequirementEnd};

/// Before a requirement is looked up again that the index did not answer for.
const RETRY_SECS: i32 = 60;

pub(super) fn deps_due(client: &mut Session, limit: u16) -> Result<Answer, Failure> {
    let sql = "SELECT ver_id, turn, package, version, extras, tags, requires, wheel FROM piw.deps_due($1)";
    let rows = ask(client, sql, &[(&i32::from(limit), Type::INT4)])?;
    let due = rows.iter().map(|row| {
        let (tags, requires): (Vec<String>, Vec<String>) = (read(row, 5)?, read(row, 6)?);
        if tags.len() != requires.len() {
            return Err(odd("lists of different lengths"));
        }
        let lines = requires.iter().map(|text| text.lines().map(str::to_owned).collect());
        let package = package(&read::<String>(row, 2)?)?;
        Ok(DepsDue {
            order: Some(DepsOrder { version: read(row, 0)?, turn: read(row, 1)? }),
            of: format!("{package} {}", read::<String>(row, 3)?),
            package,
            extras: extras(read::<Vec<String>>(row, 4)?.iter().map(String::as_str)),
            files: tags.into_iter().zip(lines).collect(),
            wheel: read::<Option<String>>(row, 7)?.and_then(|name| WheelName::parse(&name).ok()),
        })
    });
    Ok(Answer::DepsDue(due.collect::<Result<_, Failure>>()?))
}

pub(super) fn deps_found(
    client: &mut Session,
    order: Option<DepsOrder>,
    of: &str,
    requirements: &[Dependency],
) -> Result<Answer, Failure> {
    let names: Vec<&str> = requirements.iter().map(|needed| needed.package.as_str()).collect();
    let specifiers: Vec<&str> = requirements.iter().map(|needed| needed.specifiers.as_str()).collect();
    let extras: Vec<String> = requirements.iter().map(|needed| spaced(&needed.extras)).collect();
    ask(
        client,
        "SELECT piw.deps_found($1, $2, $3, $4, $5, $6)",
        &[
            (&order.map(|order| order.version), Type::INT4),
            (&order.map(|order| order.turn), Type::INT8),
            (&of, Type::TEXT),
            (&names, Type::TEXT_ARRAY),
            (&specifiers, Type::TEXT_ARRAY),
            (&extras, Type::TEXT_ARRAY),
        ],
    )?;
    Ok(Answer::Noted)
}

pub(super) fn requirements_due(client: &mut Session, limit: u16) -> Result<Answer, Failure> {
    let sql = "SELECT req_id, name, specifiers, extras, of FROM piw.requirements_due($1)";
    let rows = ask(client, sql, &[(&i32::from(limit), Type::INT4)])?;
    let due = rows.iter().map(|row| {
        Ok(RequirementDue {
            requirement: read(row, 0)?,
            package: package(&read::<String>(row, 1)?)?,
            specifiers: read(row, 2)?,
            extras: extras(read::<String>(row, 3)?.split_whitespace()),
            of: read(row, 4)?,
        })
    });
    Ok(Answer::RequirementsDue(due.collect::<Result<_, Failure>>()?))
}

pub(super) fn requirement_done(
    client: &mut Session,
    requirement: i64,
    end: &RequirementEnd,
) -> Result<Answer, Failure> {
    let (refused, retry_secs) = match end {
        RequirementEnd::Met => (None, None),
        RequirementEnd::Refused(reason) => (Some(reason.as_str()), None),
        RequirementEnd::Again => (None, Some(RETRY_SECS)),
    };
    ask(
        client,
        "SELECT piw.requirement_done($1, $2, $3)",
        &[(&requirement, Type::INT8), (&refused, Type::TEXT), (&retry_secs, Type::INT4)],
    )?;
    Ok(Answer::Noted)
}

/// As the database keeps extras: canonical, with spaces between.
pub(super) fn spaced(extras: &[Extra]) -> String {
    extras.iter().map(Extra::as_str).collect::<Vec<_>>().join(" ")
}

fn extras<'a>(names: impl Iterator<Item = &'a str>) -> Vec<Extra> {
    names.filter_map(Extra::parse).collect()
}
