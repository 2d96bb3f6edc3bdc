//! The pages' texts, from rows and templates. Deterministic: the same rows give the same bytes, and no time stands in
//! them.

use serde::Serialize;
use tinytemplate::TinyTemplate;

use super::frame::{Frame, Here, Site};
use crate::domain::walls;
use crate::master::hub::PublicSlave;
use crate::master::query::{ProjectRows, RootName};

/// The templates of `templates/`, compiled, and the site that they are filled for.
pub struct Templates {
    pub(super) tiny: TinyTemplate<'static>,
    site: Site,
}

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
struct Slaves<'a> {
    frame: Frame<'a>,
    count: usize,
    building: usize,
    slaves: Vec<Slave<'a>>,
}

#[derive(Serialize)]
struct Slave<'a> {
    label: &'a str,
    abi: &'a str,
    platform: &'a str,
    machine: &'a str,
    os: &'a str,
    doing: &'static str,
    /// The look of it.
    state: &'static str,
    job: Option<Job<'a>>,
    holds_back: Option<&'a str>,
    temperature: String,
    /// How many of the walls stand.
    stands: usize,
    all: usize,
    walls: String,
    missing: String,
}

#[derive(Serialize)]
struct Job<'a> {
    package: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
struct Names<'a> {
    names: Vec<&'a str>,
}

impl Templates {
    /// For this site.
    pub fn new(site: Site) -> Self {
        let mut tiny = TinyTemplate::new();
        for (name, text) in [
            ("head", include_str!("../../../templates/head.html")),
            ("foot", include_str!("../../../templates/foot.html")),
            ("project", include_str!("../../../templates/project.html")),
            ("project-page", include_str!("../../../templates/project-page.html")),
            ("home", include_str!("../../../templates/home.html")),
            ("slaves", include_str!("../../../templates/slaves.html")),
            ("chart", include_str!("../../../templates/chart.html")),
            ("search", include_str!("../../../templates/search.html")),
            ("faq", include_str!("../../../templates/faq.html")),
            ("not-found", include_str!("../../../templates/not-found.html")),
            ("root-names", include_str!("../../../templates/root-names.html")),
        ] {
            if let Err(error) = tiny.add_template(name, text) {
                // found by the first test; a page that needs it then fails with its own error
                log::error!("template {name}: {error}");
            }
        }
        Self { tiny, site }
    }

    /// What the operator says of the site.
    pub(super) fn site(&self) -> &Site {
        &self.site
    }

    /// Fills a template.
    pub(super) fn render(&self, template: &str, with: &impl Serialize) -> Result<String, String> {
        self.tiny.render(template, with).map_err(|e| e.to_string())
    }

    /// Before the names of the root index.
    pub const ROOT_BEGIN: &str = include_str!("../../../templates/root-begin.html");
    /// After them.
    pub const ROOT_END: &str = include_str!("../../../templates/root-end.html");

    /// A project's page for installers. The names in it are escaped, whatever they are.
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
        self.render("project", &page)
    }

    /// The page of slaves, for everybody.
    pub fn slaves(&self, slaves: &[PublicSlave]) -> Result<String, String> {
        let (count, building) =
            (slaves.len(), slaves.iter().filter(|slave| slave.doing == "building").count());
        let rows = slaves.iter().map(|slave| {
            let (walls, missing) = walls::split(&slave.board.walls);
            Slave {
                label: &slave.label,
                abi: &slave.abi,
                platform: &slave.platform,
                machine: &slave.board.machine,
                os: &slave.board.os,
                doing: slave.doing,
                state: state(slave),
                job: slave.job.as_ref().map(|(package, version)| Job { package, version }),
                holds_back: slave.holds_back.as_deref(),
                temperature: temperature(slave),
                stands: walls.len(),
                all: walls.len() + missing.len(),
                walls: walls.join(", "),
                missing: missing.join(", "),
            }
        });
        let frame = Frame::new(
            &self.site,
            1,
            Here::Slaves,
            "Slaves",
            "The machines that build wheels for this farm, and what they are doing.",
        );
        self.render("slaves", &Slaves { frame, count, building, slaves: rows.collect() })
    }

    /// A piece of the root index.
    pub fn root_names(&self, names: &[RootName]) -> Result<String, String> {
        let names = names.iter().map(|name| name.name.as_str()).collect();
        self.render("root-names", &Names { names })
    }
}

/// The look of what a slave does (`static/style.css`).
fn state(slave: &PublicSlave) -> &'static str {
    match slave.doing {
        _ if slave.holds_back.is_some() => "wait",
        "building" | "delivering" => "ok",
        _ => "off",
    }
}

fn temperature(slave: &PublicSlave) -> String {
    let degrees = slave.temperature.map(|degrees| format!("{degrees} °C"));
    let slow = slave.throttled.then(|| "slowed down".to_owned());
    degrees.into_iter().chain(slow).collect::<Vec<_>>().join(", ")
}
