//! The page's files, embedded at build time. The page itself comes with its language (`languages`).

/// One file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asset {
    /// File name, which is also the last part of its path.
    pub(crate) name: &'static str,
    pub(crate) content_type: &'static str,
    /// Changes when the content does.
    pub(crate) tag: &'static str,
    pub(crate) content: &'static [u8],
    /// None where the content is compressed already.
    pub(crate) gzipped: Option<&'static [u8]>,
}

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
    use super::*;
    use crate::languages;

    #[test]
    fn the_page_and_what_it_names_are_there() {
        for language in &languages::ALL {
            let page = std::str::from_utf8(language.page.content).unwrap();
            let named: Vec<&str> = page
                .split('"')
                .filter_map(|part| part.strip_prefix("/assets/"))
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
        let page = std::str::from_utf8(languages::ALL[0].page.content).unwrap();
        let catalogue = format!("texts.{}.js", languages::ALL[0].tag);
        let worker = std::str::from_utf8(find(WORKER).unwrap().content).unwrap();
        assert!(worker.contains(VERSION));
        for name in page
            .split('"')
            .filter_map(|part| part.strip_prefix(&format!("/assets/{VERSION}/")))
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
            let content = std::str::from_utf8(find(name).unwrap().content).unwrap();
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
            let content = find(name).unwrap().content;
            assert_eq!(
                content.get(16..24).unwrap(),
                [side.to_be_bytes(), side.to_be_bytes()].concat(),
                "{name}"
            );
        }
    }
}
