//! The pages' texts, from rows and templates. Deterministic: the same rows give the same bytes, and no time stands in
//! them.

use serde::Serialize;
use tinytemplate::TinyTemplate;

use super::facts::{Fact, facts};
use crate::domain::{BuildId, ProjectName, log_path, walls};
use crate::master::hub::PublicSlave;
use crate::master::query::ProjectRows;

/// The templates of `templates/`, compiled.
pub struct Templates(TinyTemplate<'static>);

#[derive(Serialize)]
struct Project<'a> {
    name: &'a str,
    status: &'a str,
    status_reason: Option<&'a str>,
    files: Vec<Link<'a>>,
}

#[derive(Serialize)]
struct Link<'a> {
    filename: &'a str,
    sha256: String,
    requires_python: Option<&'a str>,
    metadata_sha256: Option<String>,
    yanked: bool,
    yank_reason: &'a str,
}

#[derive(Serialize)]
struct Builds<'a> {
    name: &'a str,
    project: &'a str,
    has_files: bool,
    builds: Vec<Attempt<'a>>,
}

#[derive(Serialize)]
struct Attempt<'a> {
    number: i64,
    version: &'a str,
    abi: &'a str,
    outcome: &'a str,
    /// What its slave says of it; empty where that is not known.
    facts: Vec<Fact>,
    /// Its log, from the top of the web site.
    log: Option<String>,
}

#[derive(Serialize)]
struct Slaves<'a> {
    slaves: Vec<Slave<'a>>,
}

#[derive(Serialize)]
struct Slave<'a> {
    label: &'a str,
    abi: &'a str,
    platform: &'a str,
    machine: &'a str,
    os: &'a str,
    now: String,
    holds_back: Option<&'a str>,
    temperature: String,
    walls: String,
    missing: String,
}

#[derive(Serialize)]
struct Names<'a> {
    names: &'a [String],
}

impl Default for Templates {
    fn default() -> Self {
        let mut templates = TinyTemplate::new();
        for (name, text) in [
            ("project", include_str!("../../../templates/project.html")),
            ("builds", include_str!("../../../templates/builds.html")),
            ("home", include_str!("../../../templates/home.html")),
            ("slaves", include_str!("../../../templates/slaves.html")),
            ("root-names", include_str!("../../../templates/root-names.html")),
        ] {
            if let Err(error) = templates.add_template(name, text) {
                // found by the first test; a page that needs it then fails with its own error
                log::error!("template {name}: {error}");
            }
        }
        Self(templates)
    }
}

impl Templates {
    /// Before the names of the root index.
    pub const ROOT_BEGIN: &str = include_str!("../../../templates/root-begin.html");
    /// After them.
    pub const ROOT_END: &str = include_str!("../../../templates/root-end.html");

    /// A project's page. The names in it are escaped, whatever they are.
    pub fn project(&self, rows: &ProjectRows) -> Result<String, String> {
        let files = rows
            .files
            .iter()
            .map(|file| Link {
                filename: &file.filename,
                sha256: file.sha256.to_string(),
                requires_python: file.requires_python.as_deref(),
                metadata_sha256: file.metadata_sha256.map(|digest| digest.to_string()),
                yanked: file.yanked.is_some(),
                yank_reason: file.yanked.as_deref().unwrap_or_default(),
            })
            .collect();
        let (status, status_reason) = (rows.status.as_str(), rows.status_reason.as_deref());
        let page = Project { name: &rows.display, status, status_reason, files };
        self.0.render("project", &page).map_err(|e| e.to_string())
    }

    /// A project's page for people: what was tried.
    pub fn builds(
        &self,
        project: &ProjectName,
        rows: &ProjectRows,
        has_log: impl Fn(BuildId) -> bool,
    ) -> Result<String, String> {
        let builds = rows.builds.iter().map(|attempt| Attempt {
            number: attempt.build.0,
            version: &attempt.version,
            abi: &attempt.abi,
            outcome: &attempt.outcome,
            facts: attempt.report.as_ref().map_or_else(Vec::new, |report| facts(report, attempt.duration_ms)),
            log: has_log(attempt.build).then(|| log_path(attempt.build).display().to_string()),
        });
        let page = Builds {
            name: &rows.display,
            project: project.as_str(),
            has_files: !rows.files.is_empty(),
            builds: builds.collect(),
        };
        self.0.render("builds", &page).map_err(|e| e.to_string())
    }

    /// The page of slaves, for everybody.
    pub fn slaves(&self, slaves: &[PublicSlave]) -> Result<String, String> {
        let slaves = slaves.iter().map(|slave| {
            let (walls, missing) = walls::split(&slave.board.walls);
            let job = slave.job.as_ref().map(|(package, version)| format!(" {package} {version}"));
            Slave {
                label: &slave.label,
                abi: &slave.abi,
                platform: &slave.platform,
                machine: &slave.board.machine,
                os: &slave.board.os,
                now: format!("{}{}", slave.doing, job.unwrap_or_default()),
                holds_back: slave.holds_back.as_deref(),
                temperature: temperature(slave),
                walls: walls.join(", "),
                missing: missing.join(", "),
            }
        });
        self.0.render("slaves", &Slaves { slaves: slaves.collect() }).map_err(|e| e.to_string())
    }

    /// The home page.
    pub fn home(&self) -> Result<String, String> {
        self.0.render("home", &()).map_err(|e| e.to_string())
    }

    /// A piece of the root index.
    pub fn root_names(&self, names: &[String]) -> Result<String, String> {
        self.0.render("root-names", &Names { names }).map_err(|e| e.to_string())
    }
}

fn temperature(slave: &PublicSlave) -> String {
    let degrees = slave.temperature.map(|degrees| format!("{degrees} °C"));
    let slow = slave.throttled.then(|| "slowed down".to_owned());
    degrees.into_iter().chain(slow).collect::<Vec<_>>().join(", ")
}
