//! Questions about the requirements of what was built.

use postgres::Client;
use postgres::types::Type;

use super::{Failure, ask, odd, package, read};
use crate::domain::ProjectName;
use crate::master::query::{Answer, DepsDue, RequirementDue, RequirementEnd};

/// Before a requirement is looked up again that the index did not answer for.
const RETRY_SECS: i32 = 60;

pub(super) fn deps_due(client: &mut Client, limit: u16) -> Result<Answer, Failure> {
    let sql = "SELECT ver_id, package || ' ' || version, tags, requires FROM piw.deps_due($1)";
    let rows = ask(client, sql, &[(&i32::from(limit), Type::INT4)])?;
    let due = rows.iter().map(|row| {
        let (tags, requires): (Vec<String>, Vec<String>) = (read(row, 2)?, read(row, 3)?);
        if tags.len() != requires.len() {
            return Err(odd("lists of different lengths"));
        }
        let lines = requires.iter().map(|text| text.lines().map(str::to_owned).collect());
        Ok(DepsDue {
            version: read(row, 0)?,
            of: read(row, 1)?,
            files: tags.into_iter().zip(lines).collect(),
        })
    });
    Ok(Answer::DepsDue(due.collect::<Result<_, Failure>>()?))
}

pub(super) fn deps_found(
    client: &mut Client,
    version: Option<i32>,
    of: &str,
    requirements: &[(ProjectName, String)],
) -> Result<Answer, Failure> {
    let names: Vec<&str> = requirements.iter().map(|(name, _)| name.as_str()).collect();
    let specifiers: Vec<&str> = requirements.iter().map(|(_, specifiers)| specifiers.as_str()).collect();
    ask(
        client,
        "SELECT piw.deps_found($1, $2, $3, $4)",
        &[
            (&version, Type::INT4),
            (&of, Type::TEXT),
            (&names, Type::TEXT_ARRAY),
            (&specifiers, Type::TEXT_ARRAY),
        ],
    )?;
    Ok(Answer::Noted)
}

pub(super) fn requirements_due(client: &mut Client, limit: u16) -> Result<Answer, Failure> {
    let sql = "SELECT req_id, name, specifiers, of FROM piw.requirements_due($1)";
    let rows = ask(client, sql, &[(&i32::from(limit), Type::INT4)])?;
    let due = rows.iter().map(|row| {
        Ok(RequirementDue {
            requirement: read(row, 0)?,
            package: package(&read::<String>(row, 1)?)?,
            specifiers: read(row, 2)?,
            of: read(row, 3)?,
        })
    });
    Ok(Answer::RequirementsDue(due.collect::<Result<_, Failure>>()?))
}

pub(super) fn requirement_done(
    client: &mut Client,
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
