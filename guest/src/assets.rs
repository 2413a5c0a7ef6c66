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
    pub(crate) gzipped: &'static [u8],
}

/// Every file, in the order of the names.
static ASSETS: &[Asset] = &include!(concat!(env!("OUT_DIR"), "/assets.in"));

/// The file of a name.
pub(crate) fn find(name: &str) -> Option<&'static Asset> {
    let index = ASSETS.binary_search_by(|asset| asset.name.cmp(name)).ok()?;
    ASSETS.get(index)
}
