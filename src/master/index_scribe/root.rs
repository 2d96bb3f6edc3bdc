//! The root index, which is too large to be held: written piece by piece, as HTML and as JSON, and in the same stream what
//! else is made from all names: the files of the search and the maps for crawlers.

use std::io;

use super::page::Templates;
use super::search::Search;
use super::simple::{HTML, JSON, ROOT_JSON_BEGIN, ROOT_JSON_END, root_json};
use super::sitemap::Sitemap;
use super::store::{Store, Stream};
use crate::master::query::RootName;

/// The pages while they are written.
pub(super) struct Root {
    html: Stream,
    json: Stream,
    first: bool,
    search: Search,
    sitemap: Option<Sitemap>,
}

impl Root {
    pub(super) fn begin(store: &Store, templates: &Templates) -> io::Result<Self> {
        let (mut html, mut json) = (store.begin(HTML)?, store.begin(JSON)?);
        html.write(Templates::ROOT_BEGIN.as_bytes())?;
        json.write(ROOT_JSON_BEGIN.as_bytes())?;
        let sitemap = templates.site().url.as_deref().map(|url| Sitemap::begin(store, url));
        Ok(Self { html, json, first: true, search: Search::begin(store), sitemap })
    }

    pub(super) fn names(&mut self, templates: &Templates, names: &[RootName]) -> io::Result<()> {
        let html = templates.root_names(names).map_err(io::Error::other)?;
        self.html.write(html.as_bytes())?;
        self.json.write(root_json(names, self.first).map_err(io::Error::other)?.as_bytes())?;
        self.first &= names.is_empty();
        self.search.names(names)?;
        self.sitemap.as_mut().map_or(Ok(()), |sitemap| sitemap.names(names))
    }

    /// Installers' pages first: they do not wait for the others.
    pub(super) fn end(self, store: &Store) -> io::Result<()> {
        let Self { mut html, mut json, search, sitemap, .. } = self;
        let dir = store.output.join("simple");
        html.write(Templates::ROOT_END.as_bytes())?;
        json.write(ROOT_JSON_END.as_bytes())?;
        store.end(vec![json, html], &dir)?;
        search.end()?;
        sitemap.map_or(Ok(()), Sitemap::end)
    }
}
