//! TLS from two files of PEM, which are read again when they change. Handshakes have a thread of their own: what they
//! compute would keep the instance waiting.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Time between two looks at the files. They are renewed some weeks before the old ones end.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// HTTP/2 in ALPN (RFC 7301).
pub(super) const H2: &[u8] = b"h2";

/// The two files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate and those that lead to its issuer, in this order.
    pub cert: PathBuf,
    /// The certificate's private key.
    pub key: PathBuf,
}

/// Why the two files are no use.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// One cannot be read.
    #[error("reading {}: {source}: check the path and that the harness's user may read it", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// No certificate in the first.
    #[error("{} holds no certificate: --tls-cert takes a file of PEM with the certificate first and those of its issuers after it", .0.display())]
    NoCertificate(PathBuf),
    /// No key in the second.
    #[error("{} holds no private key: --tls-key takes a file of PEM with a key that is not encrypted", .0.display())]
    NoKey(PathBuf),
    /// They do not belong together, or are of a kind that is not known.
    #[error("the certificate {} and the key {} cannot be used together: {source}", cert.display(), key.display())]
    Unfit {
        /// The first.
        cert: PathBuf,
        /// The second.
        key: PathBuf,
        /// What rustls said.
        source: rustls::Error,
    },
    /// The thread for handshakes.
    #[error("starting a thread for TLS: {0}")]
    Thread(io::Error),
}

/// Encrypted connections.
#[derive(Debug)]
pub struct Tls {
    files: TlsFiles,
    current: Mutex<Current>,
    handshakes: Option<Runtime>,
}

struct Current {
    config: Arc<ServerConfig>,
    marks: Option<[Mark; 2]>,
    looked_at: Instant,
}

impl std::fmt::Debug for Current {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Current")
            .field("marks", &self.marks)
            .finish_non_exhaustive()
    }
}

/// Tells a changed file: its number, its length and when it was written, in seconds and nanoseconds.
type Mark = (u64, u64, i64, i64);

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When they cannot be read or used.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        // Before they are read: a change meanwhile is seen at the next look.
        let marks = marks(&files);
        let config = read(&files)?;
        let handshakes = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("tls")
            .enable_time()
            .build()
            .map_err(TlsError::Thread)?;
        Ok(Self {
            files,
            current: Mutex::new(Current {
                config,
                marks,
                looked_at: Instant::now(),
            }),
            handshakes: Some(handshakes),
        })
    }

    /// Shakes hands with a client.
    ///
    /// # Errors
    /// When it breaks the protocol or goes.
    pub(super) async fn accept<S>(&self, stream: S) -> io::Result<TlsStream<S>>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let acceptor = TlsAcceptor::from(self.config());
        let Some(handshakes) = &self.handshakes else {
            return Err(io::ErrorKind::NotConnected.into());
        };
        let mut handshake = Given(handshakes.spawn(async move { acceptor.accept(stream).await }));
        (&mut handshake.0).await.map_err(io::Error::other)?
    }

    /// What to shake hands with now. Files that changed and are no use leave what was.
    fn config(&self) -> Arc<ServerConfig> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.looked_at.elapsed() >= LOOK_EVERY {
            current.looked_at = Instant::now();
            let marks = marks(&self.files);
            if marks != current.marks {
                current.marks = marks;
                match read(&self.files) {
                    Ok(config) => {
                        current.config = config;
                        tracing::info!("read the certificate anew");
                    }
                    Err(error) => tracing::error!(%error, "the certificate read before stays in use"),
                }
            }
        }
        Arc::clone(&current.config)
    }
}

impl Drop for Tls {
    fn drop(&mut self) {
        // To wait for its thread is not allowed here, and nothing on it is worth it.
        if let Some(handshakes) = self.handshakes.take() {
            handshakes.shutdown_background();
        }
    }
}

/// A task that ends when nobody waits for it any more.
struct Given<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for Given<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn marks(files: &TlsFiles) -> Option<[Mark; 2]> {
    let mark = |path: &Path| fs::metadata(path).ok().map(|file| mark_of(&file));
    Some([mark(&files.cert)?, mark(&files.key)?])
}

fn mark_of(file: &Metadata) -> Mark {
    (file.ino(), file.size(), file.mtime(), file.mtime_nsec())
}

fn read(files: &TlsFiles) -> Result<Arc<ServerConfig>, TlsError> {
    let pem = |path: &Path| {
        fs::read(path).map_err(|source| TlsError::Unreadable {
            path: path.to_owned(),
            source,
        })
    };
    let certificates: Vec<CertificateDer<'_>> = CertificateDer::pem_slice_iter(&pem(&files.cert)?)
        .collect::<Result<_, pem::Error>>()
        .map_err(|_| TlsError::NoCertificate(files.cert.clone()))?;
    if certificates.is_empty() {
        return Err(TlsError::NoCertificate(files.cert.clone()));
    }
    let key = PrivateKeyDer::from_pem_slice(&pem(&files.key)?).map_err(|_| TlsError::NoKey(files.key.clone()))?;
    if fs::metadata(&files.key).is_ok_and(|file| file.permissions().mode() & 0o077 != 0) {
        tracing::warn!(file = %files.key.display(), "others may read the private key: chmod 600 it");
    }
    let unfit = |source| TlsError::Unfit {
        cert: files.cert.clone(),
        key: files.key.clone(),
        source,
    };
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unfit)?
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .map_err(unfit)?;
    config.alpn_protocols = vec![H2.to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}
