//! The pages' texts, from rows and templates. Deterministic: the same rows give the same bytes, and no time stands in
//! them.

use serde::Serialize;
use tinytemplate::TinyTemplate;

use crate::master::query::PageFile;

/// The templates of `templates/`, compiled.
pub struct Templates(TinyTemplate<'static>);

#[derive(Serialize)]
struct Project<'a> {
    name: &'a str,
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
struct Names<'a> {
    names: &'a [String],
}

impl Default for Templates {
    fn default() -> Self {
        let mut templates = TinyTemplate::new();
        for (name, text) in [
            ("project", include_str!("../../../templates/project.html")),
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
    pub fn project(&self, display: &str, files: &[PageFile]) -> Result<String, String> {
        let files = files
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
        self.0.render("project", &Project { name: display, files }).map_err(|e| e.to_string())
    }

    /// A piece of the root index.
    pub fn root_names(&self, names: &[String]) -> Result<String, String> {
        self.0.render("root-names", &Names { names }).map_err(|e| e.to_string())
    }
}
