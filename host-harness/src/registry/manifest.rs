//! The manifest of a component: which of the registry's blobs it is.

use serde::Deserialize;

use super::reference::Digest;
use super::{COMPONENT_BYTES, FetchError};

/// What a manifest is called; the second by registries that came before the standard.
pub(super) const MEDIA_TYPES: &str =
    "application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json";

/// What a component is called in a manifest.
const COMPONENT: &str = "application/wasm";

/// The part of an image manifest that matters here.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Manifest {
    schema_version: u32,
    /// None in an index, which lists manifests instead.
    layers: Option<Vec<Layer>>,
}

/// A blob.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Layer {
    media_type: String,
    pub(super) digest: Digest,
    /// Its length in bytes.
    pub(super) size: usize,
}

/// Why a manifest is not of a component.
#[derive(Debug, thiserror::Error)]
pub enum NotAComponent {
    /// It is something else.
    #[error("its manifest cannot be read ({0})")]
    Unreadable(#[from] serde_json::Error),
    /// It is of another age.
    #[error("its manifest is not of version 2")]
    OtherVersion,
    /// It is a list of others.
    #[error("it is a list of others, by platform or the like: give the digest of one of them")]
    Index,
    /// It is a container, for example.
    #[error("its manifest has {0} layers of `{COMPONENT}`, and not one")]
    Layers(usize),
}

impl Manifest {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, NotAComponent> {
        Ok(serde_json::from_slice(bytes)?)
    }

    /// The layer that is the component.
    pub(super) fn component(self) -> Result<Layer, FetchError> {
        if self.schema_version != 2 {
            return Err(NotAComponent::OtherVersion.into());
        }
        let layers = self.layers.ok_or(NotAComponent::Index)?;
        let mut components = layers.into_iter().filter(|layer| layer.media_type == COMPONENT);
        match (components.next(), components.count()) {
            (Some(layer), 0) if layer.size > COMPONENT_BYTES => Err(FetchError::TooLong {
                what: super::What::Component,
                bytes: COMPONENT_BYTES,
            }),
            (Some(layer), 0) => Ok(layer),
            (None, _) => Err(NotAComponent::Layers(0).into()),
            (Some(_), more) => Err(NotAComponent::Layers(more + 1).into()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use serde_json::{Value, json};

    use super::*;

    fn component(manifest: &Value) -> Result<usize, String> {
        let layer = Manifest::parse(manifest.to_string().as_bytes()).map_err(FetchError::from);
        let layer = layer.and_then(Manifest::component);
        layer.map(|layer| layer.size).map_err(|error| error.to_string())
    }

    #[test]
    fn the_component_is_the_one_layer_of_its_kind() {
        let layer =
            |kind: &str, size: usize| json!({ "mediaType": kind, "digest": Digest::of(b"").to_string(), "size": size });
        let manifest = |layers: &[Value]| json!({ "schemaVersion": 2, "layers": layers });
        let wasm = layer("application/wasm", 7);
        let text = layer("text/plain", 1);
        assert_eq!(component(&manifest(&[text.clone(), wasm.clone()])), Ok(7));
        for (unfit, why) in [
            (manifest(&[]), "0 layers"),
            (manifest(&[text]), "0 layers"),
            (manifest(&[wasm.clone(), wasm]), "2 layers"),
            (
                manifest(&[layer("application/wasm", (64 << 20) + 1)]),
                "more than 67108864 bytes",
            ),
            (
                manifest(&[json!({ "mediaType": "application/wasm" })]),
                "cannot be read",
            ),
            (json!({ "schemaVersion": 2, "manifests": [] }), "a list of others"),
            (json!({ "schemaVersion": 1, "layers": [] }), "version 2"),
            (json!([]), "cannot be read"),
        ] {
            let refusal = component(&unfit).unwrap_err();
            assert!(refusal.contains(why), "{refusal}");
        }
    }
}
