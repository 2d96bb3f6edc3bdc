//! `piw-remove`: what is published of a package goes, or is marked (manual 7).

use std::time::Duration;

use clap::Args;
use serde_json::{Map, Value};

use super::client::{self, Queue};
use super::items::{self, Consent, Many, Told};
use super::named;
use crate::domain::Version;
use crate::options::{COMMAND_LINE, Failure};
use crate::wire::Text;
use crate::wire::import::{FromTool, Removal};

/// What is said of a removal for which no reason was given.
const REASON: &str = "removed by the operator";
/// How long the master may take: a large package goes in pieces, and it waits a minute for the page.
const LIMIT: Duration = Duration::from_secs(900);

/// Remove what is published of a package, or of one version of it
///
/// What is removed, and may be built, is built again in its turn, under new names, unless --skip says that it may not.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = COMMAND_LINE)]
pub struct Remove {
    /// The name of the package to remove; - for a list on standard input, with PACKAGE [VERSION] or an object (JSON lines) a
    /// line
    #[arg(value_name = "PACKAGE", help_heading = "Arguments")]
    pub package: String,
    /// The version of the package to remove (default: all of them)
    // --version is the program's own
    #[arg(id = "which", value_name = "VERSION", help_heading = "Arguments")]
    pub version: Option<String>,
    /// Run non-interactively; never prompt during operation
    #[arg(short, long)]
    pub yes: bool,
    /// Mark the version, or the package, to prevent future build attempts: for this reason, or for that of --reason
    #[arg(short, long, value_name = "REASON", num_args = 0..=1, require_equals = true, default_missing_value = REASON)]
    pub skip: Option<String>,
    /// Forget its builds too, with their logs: failed ones are made again
    #[arg(short, long)]
    pub builds: bool,
    /// Remove nothing: mark it as yanked, so that it is installed only where it is named by its number (PEP 592)
    #[arg(long, conflicts_with_all = ["builds", "skip"])]
    pub yank: bool,
    /// Take that mark away
    #[arg(long, conflicts_with_all = ["builds", "skip", "yank"])]
    pub unyank: bool,
    /// Why, for whoever asks; on the page of what is yanked (default: removed by the operator)
    #[arg(long, value_name = "REASON")]
    pub reason: Option<String>,
    /// What is said, and how a list is read.
    #[command(flatten)]
    pub many: Many,
}

/// One package, or one version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Item {
    package: String,
    version: Option<String>,
    skip: Option<String>,
    reason: Option<String>,
}

/// Removes what is asked for.
pub fn run(remove: &Remove, quiet: bool, queue: &Queue) -> Result<(), Failure> {
    let consent = Consent { yes: remove.yes };
    let what = match (remove.builds, remove.yank, remove.unyank) {
        (true, ..) => Removal::Builds,
        (_, true, _) => Removal::Yank,
        (.., true) => Removal::Unyank,
        _ => Removal::Files,
    };
    let own = Item {
        package: remove.package.clone(),
        version: remove.version.clone(),
        skip: match (&remove.skip, &remove.reason) {
            (Some(skip), Some(reason)) if skip == REASON => Some(reason.clone()),
            (skip, _) => skip.clone(),
        },
        reason: remove.reason.clone(),
    };
    let called = |item: &Item| named::shown(&item.package, item.version.as_deref(), None);
    let work = |item: &Item| one(item, what, consent, queue);
    if remove.package == "-" {
        if remove.version.is_some() {
            return Err(Failure::usage("with a list on standard input each entry names its own version"));
        }
        if !remove.yes {
            return Err(Failure::usage(
                "with a list on standard input nothing can be asked: -y (--yes) answers for you",
            ));
        }
        let items = items::entries(remove.many).map(|entry| read_item(&entry?, &own));
        items::each(remove.many, quiet, items, called, work)
    } else {
        // a slip on the command line is a matter of usage, and the master is not asked
        request(&own, what).map_err(|failure| Failure { code: 2, ..failure })?;
        items::each(remove.many, quiet, std::iter::once(Ok(own.clone())), called, work)
    }
}

fn its_own(reason: impl Into<String>) -> Failure {
    Failure { answered: true, ..Failure::error(reason) }
}

fn read_item(entry: &str, own: &Item) -> Result<Item, Failure> {
    if let Some(object) = items::object(entry, &["package", "version", "skip", "reason"])? {
        let member = |key: &str| items::member(&object, key);
        return Ok(Item {
            package: member("package")?.ok_or_else(|| its_own("standard input: no \"package\""))?,
            version: member("version")?,
            skip: member("skip")?.or_else(|| own.skip.clone()),
            reason: member("reason")?.or_else(|| own.reason.clone()),
        });
    }
    let mut words = entry.split_whitespace();
    let (package, version) = (words.next().unwrap_or_default(), words.next());
    if words.next().is_some() {
        return Err(its_own(format!("standard input: {entry:?} is not PACKAGE [VERSION]")));
    }
    Ok(Item { package: package.to_owned(), version: version.map(str::to_owned), ..own.clone() })
}

/// The order for an item.
fn request(item: &Item, what: Removal) -> Result<FromTool, Failure> {
    let own = |failure: Failure| Failure { code: 1, answered: true, ..failure };
    let named = named::package(&item.package).map_err(own)?;
    let version = match &item.version {
        None => named.version,
        Some(_) if !named.version.is_empty() => return Err(its_own("two versions are named")),
        Some(text) => {
            Version::parse(text).map_err(|error| its_own(error.to_string()))?;
            Text::new(text.as_str()).map_err(|why| its_own(format!("the version {why}")))?
        }
    };
    let skip = item.skip.as_deref().map(|text| said("--skip", text)).transpose()?;
    if skip.is_some() && matches!(what, Removal::Yank | Removal::Unyank) {
        return Err(its_own("what is yanked is not skipped with it: see 'piw skip'"));
    }
    let reason = said("--reason", item.reason.as_deref().unwrap_or(REASON))?;
    Ok(FromTool::Remove { package: named.name, version, what, skip, reason })
}

fn said(option: &str, text: &str) -> Result<Text<{ crate::wire::limits::REASON_BYTES }>, Failure> {
    if text.trim().is_empty() {
        return Err(its_own(format!("{option}: says nothing; whoever reads 'piw why' wants to know it")));
    }
    Text::new(text).map_err(|why| its_own(format!("{option}: the text {why}")))
}

fn one(item: &Item, what: Removal, consent: Consent, queue: &Queue) -> Result<Told, Failure> {
    let request = request(item, what)?;
    let shown = named::shown(&item.package, item.version.as_deref(), None);
    let all = if item.version.is_none() && !item.package.contains("==") { "ALL versions of " } else { "" };
    let question = match what {
        Removal::Files => format!("Remove all files of {all}{shown}?"),
        Removal::Builds => format!("Remove all files of {all}{shown}, and forget its builds?"),
        Removal::Yank => format!("Mark {all}{shown} as yanked?"),
        Removal::Unyank => format!("Take the mark 'yanked' from {all}{shown}?"),
    };
    if !consent.ask(&[], &question)? {
        return Err(items::declined());
    }
    let answer = client::answer(queue, &request, LIMIT)?;
    Ok(told(answer.as_object().cloned().unwrap_or_default(), item.skip.as_deref()))
}

fn told(answer: Map<String, Value>, skip: Option<&str>) -> Told {
    let text = |key: &str| answer.get(key).and_then(Value::as_str);
    let number = |key: &str| answer.get(key).and_then(Value::as_u64).unwrap_or_default();
    let is = |key: &str| answer.get(key) == Some(&Value::Bool(true));
    let shown = named::shown(text("package").unwrap_or_default(), text("version"), None);
    let mut done = Vec::new();
    if number("files") > 0 {
        done.push(format!("{} removed", named::counted(number("files"), "file")));
    }
    if number("builds") > 0 {
        done.push(format!("{} forgotten", named::counted(number("builds"), "build")));
    }
    match text("what") {
        Some("yank") if is("changed") => done.push("marked as yanked".to_owned()),
        Some("unyank") if is("changed") => done.push("yanked no more".to_owned()),
        _ => {}
    }
    if let (true, Some(reason)) = (is("skipped"), skip) {
        done.push(format!("skipped: {reason}"));
    }
    let lines = vec![if done.is_empty() {
        format!("{shown}: nothing to do, nothing changed")
    } else {
        format!("{shown}: {}", done.join("; "))
    }];
    let trouble = (text("page") == Some("waits")).then(|| {
        let why = text("trouble").map(|why| format!(": {why}")).unwrap_or_default();
        format!("{shown}: it is gone from the database, but its page is not written yet; the master goes on trying{why}")
    });
    Told { lines, json: answer, trouble }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_package_with_or_without_version_or_an_object() {
        let own = Item { package: "-".to_owned(), version: None, skip: Some("bad".to_owned()), reason: None };
        let pair = |entry: &str| read_item(entry, &own).map(|item| (item.package, item.version, item.skip));
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(pair("foo"), Ok(("foo".to_owned(), None, text("bad"))));
        assert_eq!(pair("foo \t 1.0"), Ok(("foo".to_owned(), text("1.0"), text("bad"))));
        assert_eq!(
            pair(r#"{"package":"foo","version":"2","skip":"worse"}"#),
            Ok(("foo".to_owned(), text("2"), text("worse")))
        );
        for bad in ["foo 1.0 2.0", r#"{"version":"1"}"#, r#"{"package":"foo","files":[]}"#] {
            assert!(pair(bad).unwrap_err().answered, "{bad}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_not_sent() {
        let item = |package: &str, version: Option<&str>, skip: Option<&str>| Item {
            package: package.to_owned(),
            version: version.map(str::to_owned),
            skip: skip.map(str::to_owned),
            reason: None,
        };
        assert!(request(&item("foo==1.0", None, None), Removal::Files).is_ok());
        for (bad, what) in [
            (item("foo==1.0", Some("1.0"), None), Removal::Files),
            (item("foo", Some("one"), None), Removal::Files),
            (item("no name!", None, None), Removal::Files),
            (item("foo", None, Some(" ")), Removal::Files),
            (item("foo", None, Some("why")), Removal::Yank),
        ] {
            assert!(request(&bad, what).unwrap_err().answered, "{bad:?}");
        }
    }
}
