//! Makes of built components what is published: `dist DIRECTORY COMPONENT…`. Each gets its metadata and its place in an OCI
//! layout, and `SHA256SUMS` names every file of the directory. Says nothing that differs from one run to the next.

mod layout;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use data_encoding::HEXLOWER;
use layout::Layout;
use sha2::{Digest as _, Sha256};
use wasm_metadata::{AddMetadata, AddMetadataField, Description, Licenses, Revision, Version};

const DESCRIPTION: &str = "Invite-based web chat for the friends of an agent's owner";
const SUMS: &str = "SHA256SUMS";
/// Names the commit that the components were built from.
const REVISION: &str = "REVISION";

fn main() -> Result<()> {
    let mut arguments = std::env::args_os().skip(1).map(PathBuf::from);
    let directory = arguments.next().context("give a directory, and components")?;
    let components: Vec<PathBuf> = arguments.collect();
    ensure!(!components.is_empty(), "give the components after the directory");
    let revision = std::env::var(REVISION).ok().filter(|revision| !revision.is_empty());
    let mut layout = Layout::new(&directory.join("oci"))?;
    for file in components {
        let name = file
            .file_stem()
            .and_then(|stem| stem.to_str())
            .context("a component has a name")?;
        let built = fs::read(&file).with_context(|| format!("reading {}", file.display()))?;
        let component = with_metadata(name, revision.as_deref(), &built)?;
        fs::write(directory.join(format!("{name}.wasm")), &component)?;
        layout.add(name, env!("CARGO_PKG_VERSION"), &component)?;
    }
    layout.finish()?;
    let mut lines = Vec::new();
    list(&directory, Path::new(""), &mut lines)?;
    lines.sort_by(|(one, _), (other, _)| one.cmp(other));
    let sums: String = lines
        .into_iter()
        .map(|(name, sum)| format!("{sum}  {name}\n"))
        .collect();
    fs::write(directory.join(SUMS), sums)?;
    Ok(())
}

fn with_metadata(name: &str, revision: Option<&str>, component: &[u8]) -> Result<Vec<u8>> {
    let mut metadata = AddMetadata::default();
    metadata.name = AddMetadataField::Set(name.to_owned());
    metadata.description = AddMetadataField::Set(Description::new(DESCRIPTION));
    metadata.licenses = AddMetadataField::Set(Licenses::new(env!("CARGO_PKG_LICENSE"))?);
    metadata.version = AddMetadataField::Set(Version::new(env!("CARGO_PKG_VERSION")));
    if let Some(revision) = revision {
        metadata.revision = AddMetadataField::Set(Revision::new(revision.to_owned()));
    }
    if let Some(source) = option_env!("CARGO_PKG_REPOSITORY").filter(|source| !source.is_empty()) {
        metadata.source = AddMetadataField::Set(source.parse()?);
    }
    metadata.to_wasm(component)
}

/// Every file below, by its path, with its digest.
fn list(root: &Path, below: &Path, lines: &mut Vec<(String, String)>) -> Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            list(root, &path, lines)?;
        } else if path != Path::new(SUMS) {
            lines.push((path.display().to_string(), sha256(&fs::read(root.join(&path))?)));
        }
    }
    Ok(())
}

fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}
