//! Fetches components from OCI registries, once, by what they are and not by what they are called.
//!
//! A reference names a manifest by its sha256, and the manifest the component by its own. Both are computed here before
//! anything is kept; where a component lies is asked of the registry, what it is never. What was fetched lies in a directory
//! by its digests and is checked again whenever it is taken, so a later start asks nobody.
//!
//! The protocol is the pull of the OCI distribution specification, as far as one file needs it. It is spoken here, and not by
//! a client for all of it, because a registry is not trusted to end what it sends: every answer is read up to a bound, tokens
//! and manifests too, and a redirect leads to https only.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

mod challenge;
mod login;
mod manifest;
mod pull;
mod reference;
mod shelf;

pub use login::Logins;
pub use reference::{Digest, Reference, ReferenceError};

use manifest::{Manifest, NotAComponent};
use pull::Pull;
use shelf::Shelf;

/// Time for all of one fetch: a component of 64 MiB at a megabit a second.
const FETCH: Duration = Duration::from_secs(600);

/// Bytes of a component. Ours has two million, and Wasmtime needs many times as much to compile it.
const COMPONENT_BYTES: usize = 64 << 20;

/// Why a component was not fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The reference says what it is called and not what it is.
    #[error("a name can come to stand for something else, so give the digest too; now it would be {0}")]
    NoDigest(Box<Reference>),
    /// The registry cannot be asked.
    #[error("its registry cannot be reached: {0}")]
    Unreachable(String),
    /// The registry has it not, or not for us.
    #[error("its registry answers {status} when it is asked for {what}: {}", advice(*status))]
    Refused {
        /// What it was asked for.
        what: What,
        /// How it answered.
        status: http::StatusCode,
    },
    /// The registry wants to be shown something that cannot be shown.
    #[error("its registry asks who we are in a way that is not understood")]
    Challenge,
    /// The registry sends too much.
    #[error("its registry sends more than {bytes} bytes for {what}")]
    TooLong {
        /// What was asked for.
        what: What,
        /// How much it may be at most.
        bytes: usize,
    },
    /// The registry sends something else.
    #[error(
        "its registry sends something else for {what}: sha256:{found} in place of {expected}. Nothing of it is kept"
    )]
    OtherContent {
        /// What was asked for.
        what: What,
        /// What was asked for.
        expected: Digest,
        /// The SHA-256 of what came, in hexadecimal.
        found: String,
    },
    /// There is no component behind the reference.
    #[error("there is no WebAssembly component behind it: {0}")]
    NotAComponent(#[from] NotAComponent),
    /// It lasts too long.
    #[error("its registry has not sent it within {FETCH:?}")]
    TooSlow,
    /// What was fetched cannot be kept, or the fetching not begun.
    #[error("{doing} {}: {source}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What a registry is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The list of what belongs to it.
    Manifest,
    /// The component itself.
    Component,
    /// Leave to ask.
    Token,
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Manifest => "the manifest",
            Self::Component => "the component",
            Self::Token => "a token",
        })
    }
}

fn advice(status: http::StatusCode) -> &'static str {
    match status.as_u16() {
        401 | 403 => {
            "if it is not for everybody, sign in with `docker login`, with the password kept in docker's own file"
        }
        404 => "check the name and the digest",
        429 => "it is asked too often, try again later",
        _ => "try again later",
    }
}

/// The file of a component: the one that lies in `shelf`, or else fetched from its registry and put there. Blocks meanwhile.
///
/// # Errors
/// When it cannot be fetched as it was named. Nothing is kept then.
pub fn fetch(reference: &Reference, shelf: &Path, logins: &Logins) -> Result<PathBuf, FetchError> {
    let shelf = Shelf::at(shelf);
    if let Some(file) = reference.digest().and_then(|digest| shelf.find(digest)) {
        return Ok(file);
    }
    tracing::info!(%reference, "fetching the component");
    let failed = |source| FetchError::Io {
        doing: "beginning to fetch into",
        path: shelf.path().to_owned(),
        source,
    };
    let fetching = || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        runtime.block_on(async {
            tokio::time::timeout(FETCH, pull(reference, logins))
                .await
                .unwrap_or(Err(FetchError::TooSlow))
        })
    };
    // On a thread of its own, as who calls may have a runtime on this one.
    let pulled = std::thread::scope(|scope| scope.spawn(fetching).join());
    let (manifest, component) = pulled.map_err(|_| failed(io::Error::other("the thread was lost")))??;
    shelf.keep(&manifest, &component)
}

/// The manifest and the component, both checked.
async fn pull(reference: &Reference, logins: &Logins) -> Result<(Vec<u8>, Vec<u8>), FetchError> {
    let mut pull = Pull::from(reference, logins)?;
    let Some(digest) = reference.digest() else {
        let manifest = pull.manifest(reference.tag()).await?;
        return Err(FetchError::NoDigest(Box::new(reference.with(Digest::of(&manifest)))));
    };
    let bytes = pull.manifest(&digest.to_string()).await?;
    check(What::Manifest, digest, &bytes)?;
    let layer = Manifest::parse(&bytes)?.component()?;
    let component = pull.component(&layer).await?;
    check(What::Component, &layer.digest, &component)?;
    Ok((bytes, component))
}

fn check(what: What, expected: &Digest, bytes: &[u8]) -> Result<(), FetchError> {
    if expected.is_of(bytes) {
        return Ok(());
    }
    Err(FetchError::OtherContent {
        what,
        expected: expected.clone(),
        found: crate::pin::sha256(bytes),
    })
}
