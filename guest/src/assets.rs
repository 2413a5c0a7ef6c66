//! The page's files, embedded at build time. The page itself comes with its language (`languages`).

use std::borrow::Cow;

/// One file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asset {
    /// File name, which is also the last part of its path.
    pub(crate) name: &'static str,
    pub(crate) content_type: &'static str,
    /// Changes when the content does.
    pub(crate) tag: &'static str,
    pub(crate) stored: Stored,
}

/// A file's bytes, in the one form in which they are embedded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Stored {
    /// What nearly every client takes.
    Gzipped(&'static [u8]),
    /// What is compressed already.
    Plain(&'static [u8]),
}

impl Asset {
    /// The file as it is, for the few who do not take gzip, and for what is put into it.
    pub(crate) fn content(&self) -> Cow<'static, [u8]> {
        match self.stored {
            Stored::Plain(content) => Cow::Borrowed(content),
            Stored::Gzipped(gzipped) => Cow::Owned(unzipped(gzipped).unwrap_or_default()),
        }
    }
}

/// The content of what the build has gzipped, without a name or a comment in its head; whatever else is nothing.
fn unzipped(gzipped: &[u8]) -> Option<Vec<u8>> {
    let deflated = gzipped.get(GZIP_HEAD..gzipped.len().checked_sub(GZIP_END)?)?;
    miniz_oxide::inflate::decompress_to_vec(deflated).ok()
}

/// Bytes before and behind the compressed ones (RFC 1952).
const GZIP_HEAD: usize = 10;
const GZIP_END: usize = 8;

/// Every file, in the order of the names.
static ASSETS: &[Asset] = &include!(concat!(env!("OUT_DIR"), "/assets.in"));

/// Name of the service worker, which is served at the root: what it may take care of lies below its address.
pub(crate) const WORKER: &str = "sw.js";

/// Name of the manifest, which names the agent.
pub(crate) const MANIFEST: &str = "manifest.webmanifest";

/// The version of all files together.
pub(crate) const VERSION: &str = env!("PAGE_VERSION");

/// The file of a name. Below a version, of whichever build, the name means the same.
pub(crate) fn find(name: &str) -> Option<&'static Asset> {
    let name = match name.split_once('/') {
        Some((version, name)) if is_version(version) => name,
        _ => name,
    };
    let index = ASSETS.binary_search_by(|asset| asset.name.cmp(name)).ok()?;
    ASSETS.get(index)
}

/// Whether a path names the one content that it will ever have.
pub(crate) fn is_lasting(path: &str) -> bool {
    path.strip_prefix("/assets/")
        .and_then(|rest| rest.split_once('/'))
        .is_some_and(|(version, _)| version == VERSION)
}

fn is_version(text: &str) -> bool {
    text.len() == VERSION.len() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
    use sha2::{Digest as _, Sha256};

    use super::*;
    use crate::languages;

    fn text(asset: &Asset) -> String {
        String::from_utf8(asset.content().into_owned()).unwrap()
    }

    #[test]
    fn every_file_is_whole() {
        let pages = languages::ALL.iter().map(|language| &language.page);
        for asset in ASSETS.iter().chain(pages) {
            let digest = Sha256::digest(asset.content());
            let tag: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(tag, asset.tag, "{}", asset.name);
        }
    }

    #[test]
    fn the_page_and_what_it_names_are_there() {
        for language in &languages::ALL {
            let page = text(&language.page);
            let named: Vec<&str> = page
                .split('"')
                .filter_map(|part| part.strip_prefix("assets/"))
                .collect();
            assert!(!named.is_empty());
            for name in named {
                assert!(find(name).is_some(), "{name}");
                assert!(is_lasting(&format!("/assets/{name}")), "{name}");
            }
            assert!(page.contains("<!--notice-->"));
        }
    }

    #[test]
    fn the_worker_keeps_what_the_page_names() {
        let page = text(&languages::ALL[0].page);
        let catalogue = format!("texts.{}.js", languages::ALL[0].tag);
        let worker = text(find(WORKER).unwrap());
        assert!(worker.contains(VERSION));
        for name in page
            .split('"')
            .filter_map(|part| part.strip_prefix(&format!("assets/{VERSION}/")))
        {
            let is_kept = worker.split([' ', '"']).any(|kept| kept == name);
            assert!(
                is_kept || [MANIFEST, "icon-180.png", &catalogue].contains(&name),
                "{name}"
            );
        }
    }

    #[test]
    fn what_only_people_read_is_not_sent() {
        for (name, mark) in [("app.js", "//"), ("sw.js", "//"), ("app.css", "/*")] {
            let content = text(find(name).unwrap());
            assert!(content.lines().count() > 50, "{name}");
            assert!(!content.lines().any(|line| line.trim().starts_with(mark)), "{name}");
        }
    }

    #[test]
    fn icons_are_as_large_as_they_say() {
        for (name, side) in [
            ("icon-180.png", 180_u32),
            ("icon-192.png", 192),
            ("icon-512.png", 512),
            ("icon-maskable-512.png", 512),
        ] {
            let content = find(name).unwrap().content();
            assert_eq!(
                content.get(16..24).unwrap(),
                [side.to_be_bytes(), side.to_be_bytes()].concat(),
                "{name}"
            );
        }
    }
}
