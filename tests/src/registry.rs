//! Registries of components: the one that Debian ships, and one that answers as a test wants.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use host_harness::registry::Digest;
use serde_json::{Value, json};

use crate::data::target_dir;
use crate::{Answer, Connection, Process};

/// What a manifest is sent as.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// Lets in `me` with `secret`, for docker's file of logins in the same words.
const PASSWORDS: &str = "me:$2b$04$2JjxtfS0ZhZr5VG0BS.ICOrMUn7QduEU3rUiRNQ9SdL6X0fOrrd2O\n";

/// `me:secret` in Base64.
pub const LOGIN: &str = "bWU6c2VjcmV0";

/// The manifest of a component, as the tools for WebAssembly write it.
pub fn manifest(component: &[u8]) -> Vec<u8> {
    let blob = |kind: &str, bytes: &[u8]| json!({ "mediaType": kind, "digest": Digest::of(bytes).to_string(), "size": bytes.len() });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": blob("application/vnd.wasm.config.v0+json", CONFIG),
        "layers": [blob("application/wasm", component)],
    });
    manifest.to_string().into_bytes()
}

const CONFIG: &[u8] = br#"{"created":"2026-01-01T00:00:00Z","architecture":"wasm","os":"wasip2","layerDigests":[]}"#;

/// Debian's registry, with nothing in it. It is killed when this is dropped.
#[derive(Debug)]
pub struct Registry {
    address: SocketAddr,
    login: Option<&'static str>,
    _process: Process,
    _directory: tempfile::TempDir,
}

impl Registry {
    /// One for everybody.
    pub fn start() -> Self {
        Self::start_with(json!({}), None)
    }

    /// One for `me` only.
    pub fn start_private() -> Self {
        let auth = json!({ "htpasswd": { "realm": "private", "path": "PASSWORDS" } });
        Self::start_with(auth, Some(LOGIN))
    }

    fn start_with(mut auth: Value, login: Option<&'static str>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let passwords = directory.path().join("passwords");
        fs::write(&passwords, PASSWORDS).unwrap();
        if let Some(path) = auth.pointer_mut("/htpasswd/path") {
            *path = passwords.to_str().unwrap().into();
        }
        let mut configuration = json!({
            "version": 0.1,
            "storage": { "filesystem": { "rootdirectory": directory.path().join("content") } },
            "http": { "addr": "127.0.0.1:0", "secret": "of this test" },
        });
        if login.is_some() {
            configuration["auth"] = auth;
        }
        let file = directory.path().join("config.yml");
        // What is JSON is YAML.
        fs::write(&file, configuration.to_string()).unwrap();
        let mut command = Command::new(program());
        command.arg("serve").arg(&file);
        let process = Process::start(command);
        let line = process.stderr.expect(&["listening on "]);
        let (_, rest) = line.split_once("listening on ").unwrap();
        let address = rest.split('"').next().unwrap().parse().unwrap();
        Self {
            address,
            login,
            _process: process,
            _directory: directory,
        }
    }

    /// Takes a component in and gives its reference, with the tag and without the digest.
    pub fn push(&self, name: &str, component: &[u8]) -> String {
        for blob in [CONFIG, component] {
            let begun = self.ask("POST", &format!("/v2/{name}/blobs/uploads/"), "", b"");
            assert_eq!(begun.status, 202, "{begun:?}");
            let location = begun.header("location").unwrap();
            let target = location.split_once("//").unwrap().1;
            let (_, target) = target.split_once('/').unwrap();
            let target = format!("/{target}&digest={}", Digest::of(blob));
            let put = self.ask("PUT", &target, "application/octet-stream", blob);
            assert_eq!(put.status, 201, "{put:?}");
        }
        let put = self.ask(
            "PUT",
            &format!("/v2/{name}/manifests/1.0"),
            MANIFEST,
            &manifest(component),
        );
        assert_eq!(put.status, 201, "{put:?}");
        format!("oci://{}/{name}:1.0", self.address)
    }

    fn ask(&self, method: &str, target: &str, kind: &str, body: &[u8]) -> Answer {
        let mut connection = Connection::open(self.address).unwrap();
        let login = format!("Basic {}", self.login.unwrap_or_default());
        connection.request(
            method,
            target,
            &[("content-type", kind), ("authorization", &login)],
            body,
        );
        Answer::read(connection.response())
    }
}

/// Where `setup test` unpacks it, or where the system has it.
fn program() -> PathBuf {
    let unpacked = target_dir().join("docker-registry/usr/bin/docker-registry");
    match unpacked.is_file() {
        true => unpacked,
        false => "docker-registry".into(),
    }
}

/// A registry that answers as a test wants. Its thread ends with the test's process.
#[derive(Debug)]
pub struct FalseRegistry {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Request>>>,
}

/// What a registry was asked.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// Path and query.
    pub target: String,
    /// What the asker calls the registry.
    pub host: String,
    /// The header that shows who asks.
    pub authorization: Option<String>,
}

/// How a registry answers.
#[derive(Debug, Clone)]
pub enum Sent {
    /// With this, and its length.
    Whole(Vec<u8>),
    /// With this status line and these headers, and no more.
    Head(String),
    /// With bytes until the other side has enough.
    Endless,
    /// With this, and then no more though more was announced.
    Cut(Vec<u8>),
}

impl FalseRegistry {
    /// Starts one.
    pub fn start(answer: impl Fn(&Request) -> Sent + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<Request>>> = Arc::default();
        let (asking, answer) = (Arc::clone(&asked), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (asking, answer) = (Arc::clone(&asking), Arc::clone(&answer));
                thread::spawn(move || {
                    let mut stream = BufReader::new(stream.unwrap());
                    if let Some(request) = read(&mut stream) {
                        asking.lock().unwrap().push(request.clone());
                        send(stream.get_mut(), answer(&request));
                    }
                });
            }
        });
        Self { address, asked }
    }

    /// One that answers with a manifest for every name, and as said for everything else.
    pub fn with_manifest(manifest: Vec<u8>, blob: Sent) -> Self {
        Self::start(move |request| match request.target.contains("/manifests/") {
            true => Sent::Whole(manifest.clone()),
            false => blob.clone(),
        })
    }

    /// Where it is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The reference of what has this manifest.
    pub fn reference(&self, manifest: &[u8]) -> String {
        format!("oci://{}/friends/chat@{}", self.address, Digest::of(manifest))
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

fn read(stream: &mut BufReader<TcpStream>) -> Option<Request> {
    let mut request = Request::default();
    let mut line = String::new();
    stream.read_line(&mut line).ok().filter(|read| *read > 0)?;
    request.target = line.split(' ').nth(1)?.to_owned();
    loop {
        line.clear();
        stream.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case("authorization") => {
                request.authorization = Some(value.to_owned());
            }
            Some((name, value)) if name.eq_ignore_ascii_case("host") => request.host = value.to_owned(),
            Some(_) => {}
            None => return Some(request),
        }
    }
}

/// Whoever asked may go in the middle.
fn send(stream: &mut TcpStream, sent: Sent) {
    let head = |rest: &str| format!("HTTP/1.1 {rest}\r\nconnection: close\r\n\r\n").into_bytes();
    let _ = match sent {
        Sent::Whole(body) => {
            let length = format!("200 OK\r\ncontent-length: {}", body.len());
            stream.write_all(&[head(&length), body].concat())
        }
        Sent::Head(rest) => stream.write_all(&head(&format!("{rest}\r\ncontent-length: 0"))),
        Sent::Cut(body) => {
            let length = format!("200 OK\r\ncontent-length: {}", body.len() + 1);
            stream.write_all(&[head(&length), body].concat())
        }
        Sent::Endless => {
            let mut written = stream.write_all(&head("200 OK"));
            while written.is_ok() {
                written = stream.write_all(&[b' '; 64 << 10]);
            }
            written
        }
    };
}
