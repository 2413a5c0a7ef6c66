//! An OCI image layout (OCI Image Format, image-layout) with components as artifacts of WebAssembly, as its tools push them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};

use crate::sha256;

const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.wasm.config.v0+json";
const COMPONENT: &str = "application/wasm";

pub(crate) struct Layout {
    directory: PathBuf,
    manifests: Vec<Descriptor>,
}

/// What names a blob.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: &'static str,
    digest: String,
    size: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    annotations: Option<Value>,
}

impl Layout {
    pub(crate) fn new(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory.join("blobs/sha256"))?;
        Ok(Self {
            directory: directory.to_owned(),
            manifests: Vec::new(),
        })
    }

    /// Adds a component, under a name and a version.
    pub(crate) fn add(&mut self, name: &str, version: &str, component: &[u8]) -> Result<()> {
        let layer = self.blob(COMPONENT, component)?;
        let config = json!({ "architecture": "wasm", "os": "wasip2", "layerDigests": [layer.digest] });
        let config = self.blob(CONFIG, config.to_string().as_bytes())?;
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config,
            "layers": [layer],
        });
        self.manifests.push(Descriptor {
            annotations: Some(json!({ "org.opencontainers.image.ref.name": format!("{name}-{version}") })),
            ..self.blob(MANIFEST, manifest.to_string().as_bytes())?
        });
        Ok(())
    }

    /// Writes what names the rest.
    pub(crate) fn finish(self) -> Result<()> {
        let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": self.manifests });
        fs::write(self.directory.join("index.json"), index.to_string())?;
        fs::write(self.directory.join("oci-layout"), r#"{"imageLayoutVersion":"1.0.0"}"#)?;
        Ok(())
    }

    /// Writes a blob and gives its descriptor.
    fn blob(&self, media_type: &'static str, bytes: &[u8]) -> Result<Descriptor> {
        let digest = sha256(bytes);
        fs::write(self.directory.join("blobs/sha256").join(&digest), bytes)?;
        Ok(Descriptor {
            media_type,
            digest: format!("sha256:{digest}"),
            size: bytes.len(),
            annotations: None,
        })
    }
}
