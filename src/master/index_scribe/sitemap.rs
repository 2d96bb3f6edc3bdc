//! The maps of the site for crawlers (sitemaps.org): `sitemap.xml` names maps of 50,000 pages each, which are written in the
//! same stream as the root index. Only where the site's address is known, which they must begin with.

use std::io;

use super::store::{Store, Stream};
use crate::master::query::RootName;

/// Pages of one map: the protocol's limit.
const PAGES: usize = 50_000;
const BEGIN: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const NAMESPACE: &str = "xmlns=\"http://www.sitemaps.org/schemas/sitemap/0.9\"";

/// The maps while they are written.
pub(super) struct Sitemap {
    store: Store,
    url: String,
    most: usize,
    /// Maps that are done.
    done: usize,
    /// The one that is being written, and its pages.
    open: Option<(Stream, usize)>,
}

impl Sitemap {
    pub(super) fn begin(store: &Store, url: &str) -> Self {
        Self { store: store.clone(), url: url.to_owned(), most: PAGES, done: 0, open: None }
    }

    pub(super) fn names(&mut self, names: &[RootName]) -> io::Result<()> {
        for RootName { name, .. } in names {
            if self.open.is_none() {
                let mut stream = self.store.begin(&file_name(self.done + 1))?;
                stream.write(format!("{BEGIN}<urlset {NAMESPACE}>\n").as_bytes())?;
                self.open = Some((stream, 0));
            }
            let Some((stream, pages)) = &mut self.open else { continue };
            stream.write(format!("<url><loc>{}project/{name}/</loc></url>\n", self.url).as_bytes())?;
            *pages += 1;
            if *pages >= self.most {
                self.close()?;
            }
        }
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        let Some((mut stream, _)) = self.open.take() else { return Ok(()) };
        stream.write(b"</urlset>\n")?;
        self.store.end(vec![stream], &self.store.output)?;
        self.done += 1;
        Ok(())
    }

    /// The map of maps, and then those go that it names no more.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.close()?;
        let maps =
            (1..=self.done).map(|n| format!("<sitemap><loc>{}{}</loc></sitemap>\n", self.url, file_name(n)));
        let text =
            format!("{BEGIN}<sitemapindex {NAMESPACE}>\n{}</sitemapindex>\n", maps.collect::<String>());
        self.store.put(&self.store.output, &[("sitemap.xml", text.as_bytes())])?;
        let mut stale = self.done + 1;
        while self.store.output.join(file_name(stale)).exists() {
            self.store.remove(&self.store.output, &[&file_name(stale)])?;
            stale += 1;
        }
        Ok(())
    }
}

fn file_name(number: usize) -> String {
    format!("sitemap-{number}.xml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_have_a_limited_number_of_pages_and_go_when_they_are_not_named() {
        let dir = tempfile::tempdir().unwrap();
        let (output, spool) = (dir.path().join("www"), dir.path().join("spool"));
        std::fs::create_dir(&output).unwrap();
        std::fs::create_dir(&spool).unwrap();
        let store = Store::new(output.clone(), spool);
        let write = |count: usize| {
            let mut map = Sitemap { most: 3, ..Sitemap::begin(&store, "https://wheels.example.org/farm/") };
            let names: Vec<_> =
                (0..count).map(|n| RootName { name: format!("p{n}"), downloads: 0 }).collect();
            names.chunks(2).for_each(|piece| map.names(piece).unwrap());
            map.end().unwrap();
        };
        let count = |n: usize| {
            std::fs::read_to_string(output.join(file_name(n))).map(|text| text.matches("<loc>").count()).ok()
        };
        write(7);
        assert_eq!([1, 2, 3, 4].map(count), [Some(3), Some(3), Some(1), None]);
        let text = std::fs::read_to_string(output.join("sitemap-3.xml")).unwrap();
        assert!(text.contains("<loc>https://wheels.example.org/farm/project/p6/</loc>"), "{text}");
        let index = std::fs::read_to_string(output.join("sitemap.xml")).unwrap();
        assert!(index.contains("<loc>https://wheels.example.org/farm/sitemap-3.xml</loc>"), "{index}");
        write(3);
        assert_eq!([1, 2, 3].map(count), [Some(3), None, None]);
        assert!(!output.join("sitemap-2.xml.gz").exists());
    }
}
