//! What the pages for people have in common: head, menu and foot (`templates/head.html`, `templates/foot.html`), which a
//! template calls as `{{ call head with frame }}` and `{{ call foot with frame }}`. Pure.
//!
//! Links are relative, so that the site may stand anywhere: below a prefix, or in a directory that is looked at without a
//! server. The look's words are at the head of `static/style.css`.

use serde::Serialize;

/// What a site is called unless the operator says otherwise.
pub const STANDARD_NAME: &str = "piwheels";
/// The longest name of a site.
const NAME_BYTES: usize = 80;

/// What the operator says of the site.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its name, for people.
    pub name: String,
    /// Where everybody reaches it, with a `/` at the end; `None`: not known, and pages say so.
    pub url: Option<String>,
}

impl Site {
    /// From what the operator gave; the error says what is wrong with it.
    pub fn new(name: Option<&str>, url: Option<&str>) -> Result<Self, String> {
        let mut site = Self::default();
        if let Some(name) = name.map(str::trim) {
            if name.is_empty() || name.len() > NAME_BYTES || name.chars().any(char::is_control) {
                return Err(format!("--site-name {name:?}: must be 1 to {NAME_BYTES} bytes of text"));
            }
            site.name = name.to_owned();
        }
        if let Some(url) = url.map(str::trim) {
            let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
            // it is copied into shells and files: nothing that either would take for something else
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/[]%+@".contains(c);
            if !host.is_some_and(|host| !host.is_empty() && !host.starts_with('/') && host.chars().all(plain))
            {
                return Err(format!(
                    "--site-url {url:?}: must be the site's address, such as https://wheels.example.org/"
                ));
            }
            site.url = Some(format!("{}/", url.trim_end_matches('/')));
        }
        Ok(site)
    }

    /// Where it is on its host, with a `/` at both ends; where that is not known, at the top.
    pub(super) fn path(&self) -> String {
        let after_host = |url: &str| {
            let (_, rest) = url.split_once("://")?;
            Some(rest[rest.find('/')?..].to_owned())
        };
        self.url.as_deref().and_then(after_host).unwrap_or_else(|| "/".to_owned())
    }
}

impl Default for Site {
    fn default() -> Self {
        Self { name: STANDARD_NAME.to_owned(), url: None }
    }
}

/// The page in the menu that one is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Here {
    Home,
    Search,
    Slaves,
    Faq,
    /// None of them.
    Elsewhere,
}

/// What head and foot are made from.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Frame<'a> {
    site: &'a str,
    title: String,
    description: String,
    /// From the page to the top of the site: empty, or with a `/` at the end.
    base: String,
    /// The same as a link to the home page.
    top: String,
    /// A file of `static/`.
    script: Option<&'static str>,
    home: bool,
    search: bool,
    slaves: bool,
    faq: bool,
}

impl<'a> Frame<'a> {
    /// A page that stands `depth` directories below the top of the site. The site's name is put behind the title.
    pub(super) fn new(site: &'a Site, depth: usize, here: Here, title: &str, description: &str) -> Self {
        let base = "../".repeat(depth);
        let top = if base.is_empty() { "./".to_owned() } else { base.clone() };
        Self {
            site: &site.name,
            title: format!("{title} · {}", site.name),
            description: description.to_owned(),
            base,
            top,
            script: None,
            home: here == Here::Home,
            search: here == Here::Search,
            slaves: here == Here::Slaves,
            faq: here == Here::Faq,
        }
    }

    /// With a script of `static/`.
    pub(super) fn with_script(mut self, script: &'static str) -> Self {
        self.script = Some(script);
        self
    }

    /// A page that may be shown in place of any other, at any depth: its links are absolute. Where the site's address is not
    /// known, it is taken to be at the top of its host.
    pub(super) fn anywhere(mut self, site: &Site) -> Self {
        self.base = site.path();
        self.top.clone_from(&self.base);
        self
    }
}
