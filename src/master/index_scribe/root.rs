//! The root index, which is too large to be held: written piece by piece, as HTML and as JSON.

use std::io;
use std::path::Path;

use super::page::Templates;
use super::simple::{HTML, JSON, ROOT_JSON_BEGIN, ROOT_JSON_END, root_json};
use super::store::{Store, Stream};

/// The pages while they are written.
pub(super) struct Root {
    html: Stream,
    json: Stream,
    first: bool,
}

impl Root {
    pub(super) fn begin(store: &Store) -> io::Result<Self> {
        let (mut html, mut json) = (store.begin(HTML)?, store.begin(JSON)?);
        html.write(Templates::ROOT_BEGIN.as_bytes())?;
        json.write(ROOT_JSON_BEGIN.as_bytes())?;
        Ok(Self { html, json, first: true })
    }

    pub(super) fn names(&mut self, templates: &Templates, names: &[String]) -> io::Result<()> {
        let html = templates.root_names(names).map_err(io::Error::other)?;
        self.html.write(html.as_bytes())?;
        self.json.write(root_json(names, self.first).map_err(io::Error::other)?.as_bytes())?;
        self.first &= names.is_empty();
        Ok(())
    }

    pub(super) fn end(self, store: &Store, dir: &Path) -> io::Result<()> {
        let Self { mut html, mut json, .. } = self;
        html.write(Templates::ROOT_END.as_bytes())?;
        json.write(ROOT_JSON_END.as_bytes())?;
        store.end(vec![json, html], dir)
    }
}
