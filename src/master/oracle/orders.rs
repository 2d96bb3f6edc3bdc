//! The administrator's orders about policies and the queue, and reports for people.

use postgres::types::Type;

use super::lists::abi_list;
use super::{Failure, Parameters, Session, ask_unnamed, read};
use crate::domain::{AbiTag, BuildId, ProjectName, Version};
use crate::master::query::{Answer, Order, Ordered, Outcome, Remove, Report};

pub(super) fn order(client: &mut Session, order: &Order) -> Result<Answer, Failure> {
    let name = |package: &Option<ProjectName>| package.as_ref().map(|p| p.as_str().to_owned());
    let key = |version: &Option<Version>| version.as_ref().map(Version::sort_key);
    let tag = |abi: &Option<AbiTag>| abi.as_ref().map(|a| a.as_str().to_owned());
    match order {
        Order::Skip { what, reason } => give(
            client,
            "skip($1, $2, $3, $4)",
            &[
                (&what.package.as_str(), Type::TEXT),
                (&key(&what.version), Type::BYTEA),
                (&tag(&what.abi), Type::TEXT),
                (reason, Type::TEXT),
            ],
            order,
        ),
        Order::Unskip(what) => give(
            client,
            "unskip($1, $2, $3)",
            &[
                (&what.package.as_str(), Type::TEXT),
                (&key(&what.version), Type::BYTEA),
                (&tag(&what.abi), Type::TEXT),
            ],
            order,
        ),
        Order::Block { pattern, reason } => {
            give(client, "block($1, $2)", &[(&pattern.as_str(), Type::TEXT), (reason, Type::TEXT)], order)
        }
        Order::Unblock(pattern) => give(client, "unblock($1)", &[(&pattern.as_str(), Type::TEXT)], order),
        Order::SetPolicy { name, value, reason } => give(
            client,
            "set_policy($1, $2, $3)",
            &[(name, Type::TEXT), (value, Type::TEXT), (reason, Type::TEXT)],
            order,
        ),
        Order::RetireAbi { abi, reason } => {
            give(client, "retire_abi($1, $2)", &[(&abi.as_str(), Type::TEXT), (reason, Type::TEXT)], order)
        }
        Order::Requeue(what) => give(
            client,
            "requeue($1, $2, $3, $4, $5)",
            &[
                (&name(&what.package), Type::TEXT),
                (&key(&what.version), Type::BYTEA),
                (&tag(&what.abi), Type::TEXT),
                (&what.outcome.map(Outcome::name), Type::TEXT),
                (&what.after, Type::INT4),
            ],
            order,
        ),
        Order::Rebuild { what, names, after } => {
            let names: Vec<_> = names.iter().map(ProjectName::as_str).collect();
            let parameters: Parameters<'_> =
                &[(&what.name(), Type::TEXT), (&names, Type::TEXT_ARRAY), (after, Type::INT4)];
            give(client, "rebuild($1, $2, $3)", parameters, order)
        }
        Order::Remove(what) => remove(client, what),
    }
}

fn give(
    client: &mut Session,
    call: &str,
    parameters: Parameters<'_>,
    order: &Order,
) -> Result<Answer, Failure> {
    let row =
        ask_unnamed(client, &format!("SELECT answer, opened, cancelled, more FROM piw.{call}"), parameters)?;
    Ok(Answer::Ordered(Ordered {
        json: read(&row, 0)?,
        opened: abi_list(&read::<Vec<String>>(&row, 1)?)?,
        cancelled: read::<Vec<i64>>(&row, 2)?.into_iter().map(BuildId).collect(),
        logs: Vec::new(),
        more: read(&row, 3)?,
        walks: order.walks(),
    }))
}

fn remove(client: &mut Session, what: &Remove) -> Result<Answer, Failure> {
    let row = ask_unnamed(
        client,
        "SELECT answer, opened, cancelled, more, logs FROM piw.remove($1, $2, $3, $4, $5, $6)",
        &[
            (&what.package.as_str(), Type::TEXT),
            (&what.version.as_ref().map(Version::sort_key), Type::BYTEA),
            (&what.what.name(), Type::TEXT),
            (&what.skip, Type::TEXT),
            (&what.reason, Type::TEXT),
            (&what.after, Type::INT4),
        ],
    )?;
    let builds = |column| Ok(read::<Vec<i64>>(&row, column)?.into_iter().map(BuildId).collect());
    Ok(Answer::Ordered(Ordered {
        json: read(&row, 0)?,
        opened: abi_list(&read::<Vec<String>>(&row, 1)?)?,
        cancelled: builds(2)?,
        logs: builds(4)?,
        more: read(&row, 3)?,
        walks: false,
    }))
}

pub(super) fn report(client: &mut Session, report: Report) -> Result<Answer, Failure> {
    let sql = match report {
        Report::Abis => "SELECT piw.abi_report()",
        Report::Policies => "SELECT piw.policy_report()",
        Report::Feed => "SELECT piw.feed_report()",
    };
    Ok(Answer::Report(read(&ask_unnamed(client, sql, &[])?, 0)?))
}
