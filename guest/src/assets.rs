//! The page's files, embedded at build time.

/// One file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asset {
    /// File name, which is also the last part of its path.
    pub(crate) name: &'static str,
    pub(crate) content_type: &'static str,
    /// Changes when the content does.
    pub(crate) tag: &'static str,
    pub(crate) content: &'static [u8],
    pub(crate) gzipped: &'static [u8],
}

/// Every file, in the order of the names.
static ASSETS: &[Asset] = &include!(concat!(env!("OUT_DIR"), "/assets.in"));

/// Name of the page itself.
pub(crate) const PAGE: &str = "index.html";

/// The file of a name.
pub(crate) fn find(name: &str) -> Option<&'static Asset> {
    let index = ASSETS.binary_search_by(|asset| asset.name.cmp(name)).ok()?;
    ASSETS.get(index)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn the_page_and_what_it_names_are_there() {
        let page = std::str::from_utf8(find(PAGE).unwrap().content).unwrap();
        let named: Vec<&str> = page
            .split('"')
            .filter_map(|part| part.strip_prefix("/assets/"))
            .collect();
        assert!(!named.is_empty());
        for name in named {
            assert!(find(name).is_some(), "{name}");
        }
        assert!(page.contains("<!--notice-->"));
    }
}
