//! `piw-import`: wheels that somebody has are published (manual 6).

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use clap::Args;
use serde_json::{Map, Value};
use sha2::Digest;

use super::client::{self, Client, Queue};
use super::items::{self, Consent, Many, Told};
use crate::config;
use crate::domain::{Sha256, WheelName};
use crate::options::{COMMAND_LINE, Failure};
use crate::wire::import::{FromTool, ToTool};
use crate::wire::limits::{CHUNK_BYTES, FILES_PER_BUILD, OUTPUT_BYTES};
use crate::wire::slave::BuiltFile;
use crate::wire::{Blob, List, Text};

/// How long the master may take to say whether files may come, or to ask for the next bytes.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);
/// How long it may take from a file's last byte on: it checks and commits, and waits a minute for the page.
const COMMIT_LIMIT: Duration = Duration::from_secs(900);

/// Have wheels published as one build, that somebody else made
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = COMMAND_LINE)]
pub struct Import {
    /// The name of the package to import; if omitted this will be derived from the file(s) specified
    #[arg(long)]
    pub package: Option<String>,
    /// The version of the package to import; if omitted this will be derived from the file(s) specified
    #[arg(long, value_name = "VERSION")]
    pub package_version: Option<String>,
    /// The ABI of the package to import; if omitted this will be derived from the file(s) specified
    #[arg(long)]
    pub abi: Option<String>,
    /// The time taken to build the package
    #[arg(long, value_name = "DURATION", default_value = "0s")]
    pub duration: config::Duration,
    /// The file containing the build output; if this is omitted an appropriate message will take its place
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Run non-interactively; never prompt during operation
    #[arg(short, long)]
    pub yes: bool,
    /// Remove the specified file(s) after a successful import; if the import fails, no files will be removed
    #[arg(short, long)]
    pub delete: bool,
    /// What is said, and how a list is read.
    #[command(flatten)]
    pub many: Many,
    /// The wheels of one build; - for a list on standard input, with one build a line: a file, or an object (JSON lines)
    #[arg(value_name = "FILE", required = true, help_heading = "Arguments")]
    pub files: Vec<PathBuf>,
}

/// One build to be imported.
#[derive(Clone, Debug)]
struct Item {
    files: Vec<PathBuf>,
    package: Option<String>,
    version: Option<String>,
    abi: Option<String>,
    duration: config::Duration,
    output: Option<PathBuf>,
}

/// Imports what is asked for.
pub fn run(import: &Import, quiet: bool, queue: &Queue) -> Result<(), Failure> {
    let consent = Consent { yes: import.yes };
    let own = Item {
        files: import.files.clone(),
        package: import.package.clone(),
        version: import.package_version.clone(),
        abi: import.abi.clone(),
        duration: import.duration,
        output: import.output.clone(),
    };
    let called = |item: &Item| {
        let files: Vec<_> = item.files.iter().map(|file| file.display().to_string()).collect();
        files.join(" ")
    };
    let work = |item: &Item| one(item, import.delete, consent, queue);
    if import.files == [PathBuf::from("-")] {
        if !import.yes {
            return Err(Failure::usage(
                "with a list on standard input nothing can be asked: -y (--yes) answers for you",
            ));
        }
        let items = items::entries(import.many).map(|entry| read_item(&entry?, &own));
        items::each(import.many, quiet, items, called, work)
    } else {
        items::each(import.many, quiet, std::iter::once(Ok(own.clone())), called, work)
    }
}

/// Reads an entry of a list; what it does not say is as the command line has it.
fn read_item(entry: &str, own: &Item) -> Result<Item, Failure> {
    const MEMBERS: [&str; 7] = ["file", "files", "package", "version", "abi", "duration", "output"];
    let Some(object) = items::object(entry, &MEMBERS)? else {
        return Ok(Item { files: vec![PathBuf::from(entry)], ..own.clone() });
    };
    let bad = |why: &str| Failure { answered: true, ..Failure::error(format!("standard input: {why}")) };
    let member = |key: &str| items::member(&object, key);
    let files = match object.get("files").map(Value::as_array) {
        None => vec![PathBuf::from(member("file")?.ok_or_else(|| bad("no \"file\" and no \"files\""))?)],
        Some(Some(files)) => {
            let path =
                |file: &Value| file.as_str().map(PathBuf::from).ok_or_else(|| bad("a file is no text"));
            files.iter().map(path).collect::<Result<Vec<_>, _>>()?
        }
        Some(None) => return Err(bad("\"files\" is no list")),
    };
    let duration = match member("duration")? {
        Some(text) => text.parse().map_err(|why: String| bad(&why))?,
        None => own.duration,
    };
    Ok(Item {
        files,
        package: member("package")?.or_else(|| own.package.clone()),
        version: member("version")?.or_else(|| own.version.clone()),
        abi: member("abi")?.or_else(|| own.abi.clone()),
        duration,
        output: member("output")?.map(PathBuf::from).or_else(|| own.output.clone()),
    })
}

/// A wheel that is to be sent.
struct Wheel {
    file: File,
    told: BuiltFile,
}

/// A failure that is this item's, and no other's.
fn its_own(reason: impl Into<String>) -> Failure {
    Failure { answered: true, ..Failure::error(reason) }
}

fn one(item: &Item, delete: bool, consent: Consent, queue: &Queue) -> Result<Told, Failure> {
    if item.files.is_empty() || item.files.len() > FILES_PER_BUILD {
        return Err(its_own(format!("between 1 and {FILES_PER_BUILD} files are one build")));
    }
    let output = output(item.output.as_deref())?;
    let wheels: Vec<Wheel> = item.files.iter().map(|path| open(path)).collect::<Result<_, _>>()?;
    let question = if delete { "Import this, and remove it here?" } else { "Import this?" };
    if !consent.ask(&described(item, &wheels), question)? {
        return Err(items::declined());
    }
    let text = |what: &str, text: &Option<String>| {
        Text::new(text.clone().unwrap_or_default()).map_err(|why| Failure::usage(format!("{what}: {why}")))
    };
    let request = |create| -> Result<FromTool, Failure> {
        Ok(FromTool::Import {
            package: text("--package", &item.package)?,
            version: text("--package-version", &item.version)?,
            abi: Text::new(item.abi.clone().unwrap_or_default())
                .map_err(|why| Failure::usage(format!("--abi: {why}")))?,
            duration_ms: u64::try_from(item.duration.0.as_millis()).unwrap_or(u64::MAX),
            output: Blob::new(output.clone()).map_err(|why| its_own(format!("--output: {why}")))?,
            files: List::new(wheels.iter().map(|wheel| wheel.told.clone()).collect())
                .map_err(|why| its_own(format!("the list of files {why}")))?,
            create,
        })
    };
    let mut answer = exchange(queue, &request(consent.yes)?, &wheels)?;
    if let Some("unknown-package" | "unknown-version") = answer["state"].as_str() {
        let package = answer["package"].as_str().unwrap_or_default();
        let new = match answer["state"].as_str() {
            Some("unknown-package") => package.to_owned(),
            _ => format!("{package} {}", answer["version"].as_str().unwrap_or_default()),
        };
        if !consent.ask(&[], &format!("{new} is new to this farm. Make it?"))? {
            return Err(items::declined());
        }
        answer = exchange(queue, &request(true)?, &wheels)?;
    }
    let mut told = told(&answer);
    if delete {
        for path in &item.files {
            match std::fs::remove_file(path) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => {
                    told.trouble = Some(format!("published, but cannot remove {}: {error}", path.display()));
                }
            }
        }
    }
    Ok(told)
}

/// Opens a wheel and digests it.
fn open(path: &Path) -> Result<Wheel, Failure> {
    let at = path.display();
    let failed = |error: io::Error| its_own(format!("{at}: {error}"));
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(its_own(format!("{at}: not a file")));
    }
    let mut file = File::open(path).map_err(failed)?;
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    WheelName::parse(name).map_err(|error| its_own(error.to_string()))?;
    let mut digest = sha2::Sha256::new();
    let mut size = 0;
    let mut piece = vec![0; CHUNK_BYTES];
    loop {
        let read = file.read(&mut piece).map_err(failed)?;
        if read == 0 {
            break;
        }
        digest.update(&piece[..read]);
        size += read as u64;
    }
    if size == 0 {
        return Err(its_own(format!("{at}: it is empty")));
    }
    let filename = Text::new(name).map_err(|why| its_own(format!("{at}: the name {why}")))?;
    Ok(Wheel { file, told: BuiltFile { filename, size, sha256: Sha256(digest.finalize().into()) } })
}

/// What the build printed; of more than is taken, head and tail.
fn output(path: Option<&Path>) -> Result<Bytes, Failure> {
    let said =
        "piw-import: these files were built elsewhere and imported; what that build printed is not known\n";
    let Some(path) = path else { return Ok(Bytes::from_static(said.as_bytes())) };
    let failed = |error: io::Error| its_own(format!("--output {}: {error}", path.display()));
    let mut file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    let most = OUTPUT_BYTES as u64;
    let mut bytes = Vec::new();
    if size <= most {
        file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        let half = most / 2 - 100;
        Read::by_ref(&mut file).take(half).read_to_end(&mut bytes).map_err(failed)?;
        let left_out = size - 2 * half;
        bytes.extend_from_slice(format!("\npiw-import: {left_out} bytes are left out here\n").as_bytes());
        file.seek(SeekFrom::Start(size - half)).map_err(failed)?;
        file.take(half).read_to_end(&mut bytes).map_err(failed)?;
    }
    Ok(if bytes.is_empty() { Bytes::from_static(said.as_bytes()) } else { Bytes::from(bytes) })
}

fn described(item: &Item, wheels: &[Wheel]) -> Vec<String> {
    let named = [("package", &item.package), ("version", &item.version), ("ABI", &item.abi)];
    let named = named.iter().filter_map(|(what, text)| text.as_ref().map(|text| format!("{what} {text}")));
    let files = wheels.iter().map(|wheel| {
        let BuiltFile { filename, size, sha256 } = &wheel.told;
        format!("{filename}: {size} bytes, SHA-256 {sha256}")
    });
    named.chain(files).collect()
}

/// Asks for the import, and sends what the master then asks for.
fn exchange(queue: &Queue, request: &FromTool, wheels: &[Wheel]) -> Result<Map<String, Value>, Failure> {
    let mut client = Client::connect(queue, ANSWER_LIMIT)?;
    client.send(|out| request.encode(out))?;
    let mut current: Option<&Wheel> = None;
    let mut left: u64 = wheels.iter().map(|wheel| wheel.told.size).sum();
    let mut output = BytesMut::new();
    loop {
        let limit = if left == 0 { COMMIT_LIMIT } else { queue.limit(ANSWER_LIMIT) };
        match client.next_for(limit, ToTool::decode)? {
            ToTool::Done { json } => {
                let answer = client::parsed(&json)?;
                return answer.as_object().cloned().ok_or_else(|| client.out_of_turn());
            }
            ToTool::Error { reasons } => {
                let reasons = reasons.iter().map(ToString::to_string).collect();
                return Err(Failure { reasons, code: 1, answered: true });
            }
            ToTool::Send { index } => {
                current = Some(wheels.get(usize::from(index)).ok_or_else(|| client.out_of_turn())?);
            }
            ToTool::Fetch { offset, length } => {
                let wheel = current.ok_or_else(|| client.out_of_turn())?;
                let end = offset.saturating_add(length.into());
                if length == 0 || length as usize > CHUNK_BYTES || end > wheel.told.size {
                    return Err(client.out_of_turn());
                }
                let mut piece = vec![0; length as usize];
                wheel
                    .file
                    .read_exact_at(&mut piece, offset)
                    .map_err(|error| its_own(format!("{}: {error}", wheel.told.filename)))?;
                let data = Blob::new(Bytes::from(piece)).map_err(|_| client.out_of_turn())?;
                output.clear();
                FromTool::Chunk { offset, data }.encode(&mut output);
                client.send(|out| out.extend_from_slice(&output))?;
                left = left.saturating_sub(length.into());
            }
        }
    }
}

fn told(answer: &Map<String, Value>) -> Told {
    let text = |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default();
    let (package, version, abi) = (text("package"), text("version"), text("abi"));
    let files = answer.get("files").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let changed = text("state") == "imported";
    let mut lines: Vec<String> = Vec::new();
    if answer.get("new_package") == Some(&Value::Bool(true)) {
        lines.push(format!("{package} is new to this farm"));
    } else if answer.get("new_version") == Some(&Value::Bool(true)) {
        lines.push(format!("{package} {version} is new to this farm"));
    }
    let word = if changed { "published for" } else { "published already, nothing changed: for" };
    lines.extend(files.iter().filter_map(Value::as_str).map(|file| format!("{file}: {word} {abi}")));
    if text("page") == "waits" {
        let why = answer.get("trouble").and_then(Value::as_str).map(|why| format!(": {why}"));
        let line = format!("its page is not written yet and follows{}", why.unwrap_or_default());
        log::warn!("{package} {version}: {line}");
    }
    let mut json = answer.clone();
    json.insert("changed".to_owned(), Value::Bool(changed));
    Told { lines, json, trouble: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_files_or_objects_and_what_they_do_not_say_is_the_command_lines() {
        let own = Item {
            files: vec![PathBuf::from("-")],
            package: None,
            version: None,
            abi: Some("cp311".to_owned()),
            duration: config::Duration::secs(7),
            output: None,
        };
        let item = read_item("/a/x.whl", &own).unwrap();
        assert_eq!((item.files, item.abi.as_deref()), (vec![PathBuf::from("/a/x.whl")], Some("cp311")));
        let line =
            r#"{"files":["a.whl","b.whl"],"version":"1.0","duration":"2m","abi":"cp39","output":"log"}"#;
        let item = read_item(line, &own).unwrap();
        assert_eq!(item.files.len(), 2);
        assert_eq!((item.version.as_deref(), item.abi.as_deref()), (Some("1.0"), Some("cp39")));
        assert_eq!((item.duration, item.output), (config::Duration::secs(120), Some(PathBuf::from("log"))));
        for bad in [
            r#"{"package":"x"}"#,
            r#"{"files":"x"}"#,
            r#"{"file":"x","duration":"soon"}"#,
            r#"{"files":[1]}"#,
        ] {
            assert!(read_item(bad, &own).unwrap_err().answered, "{bad}");
        }
    }

    #[test]
    fn of_an_endless_output_head_and_tail_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let file = File::create(&path).unwrap();
        file.write_all_at(b"the beginning", 0).unwrap();
        file.write_all_at(b"the end", 3 * OUTPUT_BYTES as u64).unwrap();
        let kept = output(Some(&path)).unwrap();
        assert!(
            kept.len() <= OUTPUT_BYTES && kept.starts_with(b"the beginning") && kept.ends_with(b"the end")
        );
        std::fs::write(&path, "").unwrap();
        assert_eq!(output(Some(&path)).unwrap(), output(None).unwrap());
    }
}
