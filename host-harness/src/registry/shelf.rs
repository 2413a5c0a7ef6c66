//! Where fetched components lie: each manifest and each component by its digest, checked whenever it is taken.

use std::fs::{DirBuilder, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use super::manifest::Manifest;
use super::pull::MANIFEST_BYTES;
use super::reference::Digest;
use super::{COMPONENT_BYTES, FetchError};

/// A directory of components.
#[derive(Debug)]
pub(super) struct Shelf {
    path: PathBuf,
}

impl Shelf {
    /// The shelf at `path`, which need not exist.
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The component of a manifest, where both lie here and are what they are called. What is damaged counts as missing.
    pub(super) fn find(&self, manifest: &Digest) -> Option<PathBuf> {
        let bytes = read(&self.manifest(manifest), MANIFEST_BYTES)?;
        if !manifest.is_of(&bytes) {
            return None;
        }
        let layer = Manifest::parse(&bytes).ok()?.component().ok()?;
        let file = self.component(&layer.digest);
        layer.digest.is_of(&read(&file, COMPONENT_BYTES)?).then_some(file)
    }

    /// Puts a component here and gives its file.
    pub(super) fn keep(&self, manifest: &[u8], component: &[u8]) -> Result<PathBuf, FetchError> {
        let failed = |source| FetchError::Io {
            doing: "keeping the component in",
            path: self.path.clone(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.path)
            .map_err(failed)?;
        let file = self.component(&Digest::of(component));
        // The manifest last: where it lies, the component does.
        self.write(&file, component).map_err(failed)?;
        self.write(&self.manifest(&Digest::of(manifest)), manifest)
            .map_err(failed)?;
        Ok(file)
    }

    /// Whole or not at all, whatever other processes write.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(&self.path)?;
        file.write_all(bytes)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        File::open(&self.path)?.sync_all()
    }

    fn manifest(&self, digest: &Digest) -> PathBuf {
        self.path.join(format!("{}.json", digest.hex()))
    }

    fn component(&self, digest: &Digest) -> PathBuf {
        self.path.join(format!("{}.wasm", digest.hex()))
    }
}

/// A file that is no longer than this.
fn read(path: &Path, most: usize) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    let file = File::open(path).ok()?;
    file.take(most.saturating_add(1)).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}
