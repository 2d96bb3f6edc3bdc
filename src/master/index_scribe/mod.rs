//! The index scribe: the thread that writes the pages of the simple index (manual 2.4.9, 8.14; PEP 503).
//!
//! In: [`PageRequest`]s with the rows they are made from. Out: [`PageAnswer`]s. It knows templates and files; not
//! slaves, not SQL. A page is written beside the tree, made durable and renamed over the old one; one whose bytes are
//! the same is left alone, so that its time and ETag stay.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::event::{PageAnswer, PageRequest};
use super::query::{PageFile, Rewrite, RewriteOrder};
use super::writer::make_dirs;
use crate::domain::{ProjectName, log_path};

mod aliases;
mod facts;
mod page;

pub use page::Templates;

/// What the thread keeps between requests.
pub struct IndexScribe {
    output: PathBuf,
    spool: PathBuf,
    templates: Templates,
    /// The root index, while it is being written; or why it cannot be.
    root: Option<io::Result<BufWriter<File>>>,
}

impl IndexScribe {
    /// Writes under `output`, keeping what is unfinished in `spool`.
    pub fn new(output: PathBuf, spool: PathBuf) -> Self {
        Self { output, spool, templates: Templates::default(), root: None }
    }

    /// Does what is asked and answers where an answer is due.
    pub fn handle(&mut self, request: PageRequest, answer: &mut dyn FnMut(PageAnswer)) {
        match request {
            PageRequest::Project(project, rewrite) => {
                let dir = self.output.join("simple").join(project.as_str());
                let written = aliases::link(&dir, &rewrite.files)
                    .and_then(|()| self.project(&dir, &project, &rewrite.display, &rewrite.files))
                    .and_then(|()| self.builds(&project, &rewrite))
                    .and_then(|()| aliases::unlink(&dir, &rewrite.files, &rewrite.gone))
                    .and_then(|()| self.remove(&dir, &rewrite.gone));
                answer(PageAnswer::Written(rewrite.order, written.map_err(|e| e.to_string())));
            }
            PageRequest::RootBegin => self.root = Some(self.root_begin()),
            PageRequest::RootNames(names) => {
                let more = self.templates.root_names(&names);
                if let Some(Ok(root)) = &mut self.root {
                    let written =
                        more.map_err(io::Error::other).and_then(|text| root.write_all(text.as_bytes()));
                    if let Err(error) = written {
                        self.root = Some(Err(error));
                    }
                }
                answer(PageAnswer::RootReady);
            }
            PageRequest::RootEnd(order) => {
                let written = match self.root.take() {
                    Some(Ok(root)) => self.root_end(root),
                    Some(Err(error)) => Err(error),
                    None => Err(io::Error::other("it was not begun")),
                };
                answer(PageAnswer::Written(order, written.map_err(|e| e.to_string())));
            }
            PageRequest::Slaves(slaves) => {
                let text = self.templates.slaves(&slaves).map_err(io::Error::other);
                let written =
                    text.and_then(|text| self.write("p+slaves.html", &self.output.join("slaves"), &text));
                answer(PageAnswer::SlavesWritten(written.map_err(|e| e.to_string())));
            }
        }
    }

    fn project(
        &self,
        dir: &Path,
        project: &ProjectName,
        display: &str,
        files: &[PageFile],
    ) -> io::Result<()> {
        let page = dir.join("index.html");
        if files.is_empty() {
            // an empty page makes the project unresolvable for clients that ask this index first: none at all
            return remove_page(&page);
        }
        let text = self.templates.project(display, files).map_err(io::Error::other)?;
        self.write(&format!("p-{project}.html"), dir, &text)
    }

    /// The page for people: what was tried, and the logs. Its links stay out of the other, where each is a file's.
    fn builds(&self, project: &ProjectName, rewrite: &Rewrite) -> io::Result<()> {
        let dir = self.output.join("project").join(project.as_str());
        if rewrite.builds.is_empty() {
            return remove_page(&dir.join("index.html"));
        }
        // a build that printed nothing has no log
        let has_log = |build| self.output.join(log_path(build)).is_file();
        let text = self.templates.builds(project, rewrite, has_log).map_err(io::Error::other)?;
        self.write(&format!("p-{project}.html"), &dir, &text)
    }

    /// Puts a page in place, unless it is there like this; until then it has a name in the spool.
    fn write(&self, temporary: &str, dir: &Path, text: &str) -> io::Result<()> {
        let page = dir.join("index.html");
        if std::fs::read(&page).is_ok_and(|old| old == text.as_bytes()) {
            return Ok(());
        }
        make_dirs(&self.output, dir)?;
        let temporary = self.spool.join(temporary);
        let mut file = File::create(&temporary)?;
        file.write_all(text.as_bytes())?;
        publish(&file, &temporary, &page)
    }

    /// Removes files that no page names any more, with what stands beside them.
    fn remove(&self, dir: &Path, gone: &[String]) -> io::Result<()> {
        let mut removed = false;
        for name in gone {
            // rows hold no other names; nothing outside the directory is touched whatever they hold
            if name.contains('/') || name.starts_with('.') {
                return Err(io::Error::other(format!("{name:?} is not a file's name")));
            }
            for path in [dir.join(name), dir.join(format!("{name}.metadata"))] {
                match std::fs::remove_file(path) {
                    Ok(()) => removed = true,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
        }
        if removed { File::open(dir)?.sync_all() } else { Ok(()) }
    }

    fn root_temporary(&self) -> PathBuf {
        self.spool.join("p+root.html")
    }

    fn root_begin(&self) -> io::Result<BufWriter<File>> {
        let mut root = BufWriter::new(File::create(self.root_temporary())?);
        root.write_all(Templates::ROOT_BEGIN.as_bytes())?;
        Ok(root)
    }

    fn root_end(&self, mut root: BufWriter<File>) -> io::Result<()> {
        root.write_all(Templates::ROOT_END.as_bytes())?;
        let file = root.into_inner().map_err(io::IntoInnerError::into_error)?;
        let dir = self.output.join("simple");
        make_dirs(&self.output, &dir)?;
        publish(&file, &self.root_temporary(), &dir.join("index.html"))
    }
}

/// Removes a page that may not be there.
fn remove_page(page: &Path) -> io::Result<()> {
    match std::fs::remove_file(page) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Makes a finished file durable under its final name, readable for the web server.
fn publish(file: &File, temporary: &Path, page: &Path) -> io::Result<()> {
    file.set_permissions(std::fs::Permissions::from_mode(0o644))?;
    file.sync_all()?;
    std::fs::rename(temporary, page)?;
    File::open(page.parent().unwrap_or(page))?.sync_all()
}

/// What `handle` answers in place of a request that made it panic.
pub fn failed(request: &PageRequest) -> Vec<PageAnswer> {
    let written = |order: &RewriteOrder| {
        vec![PageAnswer::Written(order.clone(), Err("an error in the index scribe; see the log".to_owned()))]
    };
    match request {
        PageRequest::Project(_, rewrite) => written(&rewrite.order),
        PageRequest::RootEnd(order) => written(order),
        PageRequest::RootNames(_) => vec![PageAnswer::RootReady],
        PageRequest::RootBegin => Vec::new(),
        PageRequest::Slaves(_) => {
            vec![PageAnswer::SlavesWritten(Err("an error in the index scribe; see the log".to_owned()))]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    use crate::domain::BuildId;
    use crate::domain::Sha256;
    use crate::master::hub::PublicSlave;
    use crate::master::query::{PageBuild, PageKind, Rewrite};
    use crate::master::report::{KeptReport, Sdist};
    use crate::wire::slave::{Board, Wall};
    use crate::wire::{List, Text};

    fn file(name: &str) -> PageFile {
        PageFile {
            filename: name.to_owned(),
            sha256: Sha256([0xab; 32]),
            requires_python: Some(">=3.7,<4".to_owned()),
            metadata_sha256: Some(Sha256([0xcd; 32])),
            yanked: None,
            alias_of: None,
        }
    }

    fn write(scribe: &mut IndexScribe, files: Vec<PageFile>) -> Result<(), String> {
        write_without(scribe, files, Vec::new())
    }

    fn write_without(
        scribe: &mut IndexScribe,
        files: Vec<PageFile>,
        gone: Vec<String>,
    ) -> Result<(), String> {
        let project = ProjectName::parse("foo").unwrap();
        let order = RewriteOrder { page: PageKind::Project(project.clone()), order: 1 };
        let mut answers = Vec::new();
        let rewrite = Rewrite { order, display: "Foo".to_owned(), files, gone, builds: Vec::new() };
        scribe.handle(PageRequest::Project(project, rewrite), &mut |a| answers.push(a));
        match answers.pop() {
            Some(PageAnswer::Written(_, result)) => result,
            other => panic!("{other:?}"),
        }
    }

    fn scribe() -> (tempfile::TempDir, IndexScribe) {
        let dir = tempfile::tempdir().unwrap();
        let (output, spool) = (dir.path().join("www"), dir.path().join("spool"));
        std::fs::create_dir(&output).unwrap();
        std::fs::create_dir(&spool).unwrap();
        let scribe = IndexScribe::new(output, spool);
        (dir, scribe)
    }

    #[test]
    fn a_page_shows_each_file_with_its_digest_and_python_and_is_left_alone_when_nothing_changed() {
        let (dir, mut scribe) = scribe();
        write(&mut scribe, vec![file("foo-1.0-py3-none-any.whl")]).unwrap();
        let page = dir.path().join("www/simple/foo/index.html");
        let text = std::fs::read_to_string(&page).unwrap();
        let href = format!("href=\"foo-1.0-py3-none-any.whl#sha256={}\"", "ab".repeat(32));
        assert!(text.contains(&href), "{text}");
        assert!(text.contains("data-requires-python=\"&gt;=3.7,&lt;4\""), "{text}");
        assert!(!text.contains("data-yanked"));
        assert!(text.contains(&format!("data-core-metadata=\"sha256={}\"", "cd".repeat(32))), "{text}");
        // pip 22.3 to 23.1 read this older name, and then refuse a project whose METADATA spells its name otherwise
        // than it was asked for
        assert!(!text.contains("data-dist-info-metadata"));
        let before = std::fs::metadata(&page).unwrap();
        write(&mut scribe, vec![file("foo-1.0-py3-none-any.whl")]).unwrap();
        let after = std::fs::metadata(&page).unwrap();
        assert_eq!((before.ino(), before.mtime_nsec()), (after.ino(), after.mtime_nsec()));
        assert_eq!(std::fs::read_dir(dir.path().join("spool")).unwrap().count(), 0);
    }

    #[test]
    fn a_project_without_files_has_no_page() {
        let (dir, mut scribe) = scribe();
        write(&mut scribe, Vec::new()).unwrap();
        write(&mut scribe, vec![file("foo-1.0-py3-none-any.whl")]).unwrap();
        write(&mut scribe, Vec::new()).unwrap();
        assert!(!dir.path().join("www/simple/foo/index.html").exists());
    }

    #[test]
    fn the_logs_that_are_there_are_linked_from_the_page_for_people_and_from_no_other() {
        let (dir, mut scribe) = scribe();
        let attempt = |build: i64, outcome: &str| PageBuild {
            build: BuildId(build),
            version: "1.0".to_owned(),
            abi: "cp311".to_owned(),
            outcome: outcome.to_owned(),
            duration_ms: 1500,
            report: None,
        };
        let mut rewrite = |builds: Vec<PageBuild>| {
            let project = ProjectName::parse("foo").unwrap();
            let order = RewriteOrder { page: PageKind::Project(project.clone()), order: 1 };
            let (files, gone) = (Vec::new(), Vec::new());
            let rewrite = Rewrite { order, display: "<Foo>".to_owned(), files, gone, builds };
            let mut written = None;
            scribe.handle(PageRequest::Project(project, rewrite), &mut |a| written = Some(a));
            assert!(matches!(written, Some(PageAnswer::Written(_, Ok(())))), "{written:?}");
        };
        let log = dir.path().join("www").join(log_path(BuildId(70_001)));
        std::fs::create_dir_all(log.parent().unwrap()).unwrap();
        std::fs::write(&log, "").unwrap();
        rewrite(vec![attempt(70_001, "failed"), attempt(7, "no-sdist")]);
        let page = dir.path().join("www/project/foo/index.html");
        let text = std::fs::read_to_string(&page).unwrap();
        let links: Vec<_> =
            text.split("href=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
        assert_eq!(links, ["../../slaves/", "../../logs/0000/0007/0001.txt.gz"], "{text}");
        assert!(page.parent().unwrap().join(links[1]).is_file());
        assert!(text.contains("<td>no-sdist</td><td></td>") && !text.contains("<Foo>"), "{text}");
        assert!(!dir.path().join("www/simple/foo").exists());
        rewrite(Vec::new());
        assert!(!page.exists(), "a project of which nothing is known any more");
    }

    #[test]
    fn a_report_is_shown_with_its_build_and_is_text_whatever_it_says() {
        let (dir, mut scribe) = scribe();
        let odd = || Some("<script>alert('\"&amp;\")</script>".to_owned());
        let report = KeptReport {
            machine: odd(),
            os: odd(),
            walls: vec!["</dl><script>".to_owned()],
            interpreter: odd(),
            pip: odd(),
            pip_arguments: odd(),
            compiler: odd(),
            sdist: Some(Sdist { filename: "\"><script>".to_owned(), size: 1, sha256: "<script>".to_owned() }),
            requirements: vec!["<script>".to_owned()],
            ..KeptReport::default()
        };
        let attempt = |build, report| PageBuild {
            build: BuildId(build),
            version: "1.0".to_owned(),
            abi: "cp311".to_owned(),
            outcome: "built".to_owned(),
            duration_ms: 1500,
            report,
        };
        let mut text = |builds: Vec<PageBuild>| {
            let project = ProjectName::parse("foo").unwrap();
            let order = RewriteOrder { page: PageKind::Project(project.clone()), order: 1 };
            let (files, gone) = (Vec::new(), Vec::new());
            let rewrite = Rewrite { order, display: "foo".to_owned(), files, gone, builds };
            scribe.handle(PageRequest::Project(project, rewrite), &mut |_| {});
            std::fs::read_to_string(dir.path().join("www/project/foo/index.html")).unwrap()
        };
        let shown = text(vec![attempt(2, Some(Box::new(report.clone()))), attempt(1, None)]);
        assert!(!shown.contains("<script") && !shown.contains("</script"), "{shown}");
        let compiler =
            "<dt>Compiler</dt><dd>&lt;script&gt;alert(&#39;&quot;&amp;amp;&quot;)&lt;/script&gt;</dd>";
        assert!(shown.contains(compiler), "{shown}");
        assert_eq!(shown.matches("<details>").count(), 1, "{shown}");
        assert!(
            shown.contains("<tr><td>1</td><td>1.0</td><td>cp311</td><td>built</td><td></td></tr>"),
            "{shown}"
        );
        assert_eq!(text(vec![attempt(2, Some(Box::new(report))), attempt(1, None)]), shown);
    }

    #[test]
    fn the_page_of_slaves_shows_what_they_are_and_do_and_is_left_alone_when_nothing_changed() {
        let (dir, mut scribe) = scribe();
        let mut write = |slaves: &[PublicSlave]| {
            let mut written = None;
            scribe.handle(PageRequest::Slaves(slaves.to_vec()), &mut |answer| written = Some(answer));
            written
        };
        let page = dir.path().join("www/slaves/index.html");
        let odd = "<script>\"'";
        let board = Board {
            machine: Text::cut(odd),
            os: Text::cut(odd),
            walls: List::cut(vec![Wall::TreeKill, Wall::Namespaces]),
        };
        let slave = |label: &str| PublicSlave {
            label: label.to_owned(),
            abi: "cp311".to_owned(),
            platform: "linux_armv7l".to_owned(),
            board: board.clone(),
            doing: "building",
            job: Some(("foo".to_owned(), "1.0".to_owned())),
            temperature: Some(0),
            throttled: true,
            holds_back: Some(odd.to_owned()),
        };
        assert!(matches!(write(&[slave("pi"), slave(odd)]), Some(PageAnswer::SlavesWritten(Ok(())))));
        let text = std::fs::read_to_string(&page).unwrap();
        assert!(!text.contains("<script"), "{text}");
        let row = "<tr><td>pi</td><td>cp311</td><td>linux_armv7l</td><td>&lt;script&gt;&quot;&#39;</td>\
                   <td>&lt;script&gt;&quot;&#39;</td><td>building foo 1.0; holds back: &lt;script&gt;&quot;&#39;</td>\
                   <td>0 °C, slowed down</td><td>namespaces, tree-kill</td><td>read-only, net-off, ";
        assert!(text.contains(row), "{text}");
        let before = std::fs::metadata(&page).unwrap().ino();
        write(&[slave("pi"), slave(odd)]);
        assert_eq!(std::fs::metadata(&page).unwrap().ino(), before);
        write(&[]);
        assert!(std::fs::read_to_string(&page).unwrap().contains("<p>None is connected.</p>"));
        // a file stands where its directory belongs: it says so, and other pages come all the same
        std::fs::remove_dir_all(page.parent().unwrap()).unwrap();
        std::fs::write(page.parent().unwrap(), "").unwrap();
        assert!(matches!(write(&[]), Some(PageAnswer::SlavesWritten(Err(_)))));
        super::tests::write(&mut scribe, vec![file("foo-1.0-py3-none-any.whl")]).unwrap();
    }

    #[test]
    fn yanked_files_say_so_and_hostile_text_stays_text() {
        let (dir, mut scribe) = scribe();
        let mut odd = file("foo-1.0-py3-none-any.whl");
        odd.yanked = Some("\"><script>".to_owned());
        odd.requires_python = Some("\"><script>".to_owned());
        let mut silent = file("foo-1.1-py3-none-any.whl");
        silent.yanked = Some(String::new());
        write(&mut scribe, vec![odd, silent]).unwrap();
        let text = std::fs::read_to_string(dir.path().join("www/simple/foo/index.html")).unwrap();
        assert!(!text.contains("<script"), "{text}");
        assert!(
            text.contains("data-yanked=\"&quot;&gt;&lt;script&gt;\"") && text.contains("data-yanked=\"\""),
            "{text}"
        );
    }

    #[test]
    fn the_root_index_is_written_in_pieces() {
        let (dir, mut scribe) = scribe();
        let mut answers = Vec::new();
        let mut answer = |a| answers.push(a);
        let order = RewriteOrder { page: PageKind::Root, order: 1 };
        scribe.handle(PageRequest::RootBegin, &mut answer);
        scribe.handle(PageRequest::RootNames(vec!["a".to_owned(), "b".to_owned()]), &mut answer);
        scribe.handle(PageRequest::RootNames(vec!["c".to_owned()]), &mut answer);
        scribe.handle(PageRequest::RootEnd(order), &mut answer);
        assert!(matches!(answers.last(), Some(PageAnswer::Written(_, Ok(())))), "{answers:?}");
        let text = std::fs::read_to_string(dir.path().join("www/simple/index.html")).unwrap();
        let links: Vec<_> = text.lines().filter(|line| line.starts_with("<a ")).collect();
        assert_eq!(
            links,
            ["<a href=\"a/\">a</a><br>", "<a href=\"b/\">b</a><br>", "<a href=\"c/\">c</a><br>"]
        );
    }
}
