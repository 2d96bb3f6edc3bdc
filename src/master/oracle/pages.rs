//! Questions about the pages of the published index.

use postgres::Row;
use postgres::types::Type;

use super::{Failure, Parameters, Session, ask, ask_one, odd, package, read};
use crate::master::query::{Answer, PageKind, ProjectRows, Rewrite, RewriteOrder, RootName};

pub(super) fn rewrites_due(client: &mut Session, limit: u16, except: &[i64]) -> Result<Answer, Failure> {
    let sql = "SELECT kind, name, ordered, page, more FROM piw.rewrites_due($1, $2)";
    let rows = ask(client, sql, &[(&i32::from(limit), Type::INT4), (&except, Type::INT8_ARRAY)])?;
    let more = rows.last().map_or(Ok(false), |row| read(row, 4))?;
    Ok(Answer::RewritesDue { due: rows.iter().map(rewrite).collect::<Result<_, Failure>>()?, more })
}

fn rewrite(row: &Row) -> Result<Rewrite, Failure> {
    let page = match read::<String>(row, 0)?.as_str() {
        "root" => PageKind::Root,
        "home" => PageKind::Home,
        "project" => PageKind::Project(package(&read::<String>(row, 1)?)?),
        other => return Err(odd(other)),
    };
    let rows = match row.try_get::<_, Option<&str>>(3).map_err(odd)? {
        Some(json) => serde_json::from_str(json).map_err(|error| odd(error.to_string()))?,
        None => ProjectRows::default(),
    };
    Ok(Rewrite { order: RewriteOrder { page, order: read(row, 2)? }, rows })
}

/// Says what became of these orders.
pub(super) fn tell(
    client: &mut Session,
    sql: &'static str,
    orders: &[RewriteOrder],
) -> Result<Answer, Failure> {
    let pages: Vec<_> = orders.iter().map(|order| page(&order.page)).collect();
    let kinds: Vec<_> = pages.iter().map(|(kind, _)| *kind).collect();
    let names: Vec<_> = pages.iter().map(|(_, name)| *name).collect();
    let numbers: Vec<_> = orders.iter().map(|order| order.order).collect();
    let parameters: Parameters<'_> =
        &[(&kinds, Type::TEXT_ARRAY), (&names, Type::TEXT_ARRAY), (&numbers, Type::INT8_ARRAY)];
    ask(client, sql, parameters)?;
    Ok(Answer::RewritesDone)
}

/// As the database has it: its kind, and its project.
fn page(page: &PageKind) -> (&'static str, Option<&str>) {
    match page {
        PageKind::Root => ("root", None),
        PageKind::Home => ("home", None),
        PageKind::Project(name) => ("project", Some(name.as_str())),
    }
}

pub(super) fn root_names(client: &mut Session, after: Option<&str>, limit: u16) -> Result<Answer, Failure> {
    let sql = "SELECT name, downloads FROM piw.root_names($1, $2)";
    let rows = ask(client, sql, &[(&after, Type::TEXT), (&i32::from(limit), Type::INT4)])?;
    let name = |row: &Row| Ok(RootName { name: read(row, 0)?, downloads: read(row, 1)? });
    Ok(Answer::RootNames(rows.iter().map(name).collect::<Result<_, Failure>>()?))
}

pub(super) fn home(client: &mut Session) -> Result<Answer, Failure> {
    let json: String = read(&ask_one(client, "SELECT piw.home()", &[])?, 0)?;
    let rows = serde_json::from_str(&json).map_err(|error| odd(error.to_string()))?;
    Ok(Answer::Home(Box::new(rows)))
}
