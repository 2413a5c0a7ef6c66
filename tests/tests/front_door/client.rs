//! Clients of TLS and HTTP/2, and a certificate for `localhost`.

use std::fs;
use std::io;
use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use friends_chat_tests::{COOKIE, Friend, Harness, Process};
use h2::RecvStream;
use h2::client::SendRequest;
use http::Request;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A certificate that vouches for itself, and its key, in two files.
pub(super) struct Certificate(tempfile::TempDir);

impl Certificate {
    pub(super) fn new() -> Self {
        let certificate = Self(tempfile::tempdir().unwrap());
        let config = "[req]\ndistinguished_name = name\nx509_extensions = extensions\n[name]\n[extensions]\n\
            subjectAltName = DNS:localhost\nbasicConstraints = critical, CA:FALSE\n";
        fs::write(certificate.file("config"), config).unwrap();
        let mut command = Command::new("openssl");
        command.args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-noenc",
        ]);
        command.args([
            "-days",
            "2",
            "-subj",
            "/CN=localhost",
            "-config",
            &certificate.file("config"),
        ]);
        command.args([
            "-keyout",
            &certificate.file("key.pem"),
            "-out",
            &certificate.file("cert.pem"),
        ]);
        Process::start(command).wait().success();
        certificate
    }

    pub(super) fn file(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    /// What the harness is told.
    pub(super) fn arguments(&self) -> [String; 4] {
        [
            "--tls-cert".to_owned(),
            self.file("cert.pem"),
            "--tls-key".to_owned(),
            self.file("key.pem"),
        ]
    }

    /// Puts another's files in the place of these, as programs that renew certificates do.
    pub(super) fn renew(&self, other: &Self) {
        for name in ["key.pem", "cert.pem"] {
            fs::copy(other.file(name), self.file("new")).unwrap();
            fs::rename(self.file("new"), self.file(name)).unwrap();
        }
    }

    /// Connects, trusting this certificate only.
    pub(super) async fn connect(&self, harness: &Harness, protocols: &[&str]) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_file(self.file("cert.pem")).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let stream = TcpStream::connect(harness.address()).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    }
}

/// One HTTP/2 connection of a friend's browser.
pub(super) struct Browser {
    sender: SendRequest<Bytes>,
    cookie: String,
    /// Ready when the connection has ended.
    pub(super) end: tokio::task::JoinHandle<()>,
}

impl Browser {
    /// Speaks HTTP/2 on a connection.
    pub(super) async fn on(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, friend: &Friend) -> Self {
        let (sender, connection) = h2::client::Builder::new()
            // As much as browsers allow a connection: a stream that is not read must not keep the others waiting.
            .initial_connection_window_size(16 << 20)
            .handshake(stream)
            .await
            .unwrap();
        let end = tokio::spawn(async move { drop(connection.await) });
        Self {
            sender,
            cookie: friend.cookie().unwrap(),
            end,
        }
    }

    /// Speaks HTTP/2 in clear, without asking before.
    pub(super) async fn clear(harness: &Harness, friend: &Friend) -> Self {
        Self::on(TcpStream::connect(harness.address()).await.unwrap(), friend).await
    }

    /// Sends a request, with the cookies in two fields as browsers do, and gives the status and the body.
    pub(super) async fn send(
        &mut self,
        method: &str,
        target: &str,
        body: &'static str,
    ) -> Result<(u16, RecvStream), h2::Error> {
        let request = Request::builder()
            .method(method)
            .uri(format!("https://localhost{target}"))
            .header("content-type", "application/json")
            .header("cookie", "theme=dark")
            .header("cookie", format!("{COOKIE}={}", self.cookie))
            .body(())
            .unwrap();
        let mut sender = self.sender.clone().ready().await?;
        let (response, mut stream) = sender.send_request(request, body.is_empty())?;
        if !body.is_empty() {
            stream.send_data(Bytes::from_static(body.as_bytes()), true)?;
        }
        let (head, body) = response.await?.into_parts();
        Ok((head.status.as_u16(), body))
    }

    /// A request that is answered in full.
    pub(super) async fn ask(&mut self, method: &str, target: &str, body: &'static str) -> (u16, String) {
        let (status, mut body) = self.send(method, target, body).await.unwrap();
        let mut text = Vec::new();
        while let Some(piece) = next(&mut body).await {
            text.extend_from_slice(&piece);
        }
        (status, String::from_utf8(text).unwrap())
    }

    /// Streams that the harness allows at a time.
    pub(super) fn streams(&self) -> usize {
        self.sender.current_max_send_streams()
    }
}

/// The next piece of a body, of which as much may follow.
pub(super) async fn next(body: &mut RecvStream) -> Option<Bytes> {
    let piece = body.data().await?.ok()?;
    body.flow_control().release_capacity(piece.len()).unwrap();
    Some(piece)
}

/// Reads a body up to some words.
pub(super) async fn until(body: &mut RecvStream, words: &str) {
    let mut text = String::new();
    while !text.contains(words) {
        let piece = next(body).await.unwrap_or_else(|| panic!("it ended: {text}"));
        text.push_str(std::str::from_utf8(&piece).unwrap());
    }
}
