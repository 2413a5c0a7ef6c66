//! A push service (RFC 8030) and a browser that subscribed there: what arrives is checked as both would (RFC 8291,
//! RFC 8292).

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;

use aes_gcm::aead::{Aead as _, KeyInit as _};
use aes_gcm::{Aes128Gcm, Nonce};
use data_encoding::BASE64URL_NOPAD;
use hkdf::Hkdf;
use p256::ecdsa::signature::Verifier as _;
use p256::ecdsa::{Signature, VerifyingKey};
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::{PublicKey, SecretKey};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::DEADLINE;

/// A message that arrived.
#[derive(Debug)]
pub struct Arrived {
    /// Path of the endpoint.
    pub path: String,
    /// Headers, the names in lower case.
    pub headers: Vec<(String, String)>,
    /// As it was on the wire.
    pub body: Vec<u8>,
}

/// A push service on this machine.
#[derive(Debug)]
pub struct PushService {
    address: SocketAddr,
    arrived: Receiver<Arrived>,
    replies: Arc<Mutex<VecDeque<String>>>,
}

/// A browser's keys.
#[derive(Debug)]
pub struct Subscriber {
    key: SecretKey,
    auth: [u8; 16],
}

impl PushService {
    /// A service that takes everything.
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, arrived) = channel();
        let replies: Arc<Mutex<VecDeque<String>>> = Arc::default();
        let planned = Arc::clone(&replies);
        thread::spawn(move || {
            for stream in listener.incoming() {
                serve(stream.unwrap(), &sender, &planned);
            }
        });
        Self {
            address,
            arrived,
            replies,
        }
    }

    /// The configuration of a harness that may send here.
    pub fn config(&self) -> String {
        format!("push.allowed = ['{}']", self.address)
    }

    /// Answers the next message with this status line and these headers instead.
    pub fn reply(&self, head: &str) {
        self.replies.lock().unwrap().push_back(head.to_owned());
    }

    /// An endpoint, by its path.
    pub fn endpoint(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The next message.
    #[track_caller]
    pub fn next(&self) -> Arrived {
        self.arrived.recv_timeout(DEADLINE).expect("no message arrived")
    }

    /// What has arrived and was not looked at.
    pub fn rest(&self) -> Vec<Arrived> {
        self.arrived.try_iter().collect()
    }
}

impl Default for Subscriber {
    fn default() -> Self {
        Self {
            key: SecretKey::from_slice(&[next_byte(); 32]).unwrap(),
            auth: [9; 16],
        }
    }
}

/// Keys of different subscribers differ.
fn next_byte() -> u8 {
    use std::sync::atomic::{AtomicU8, Ordering};
    static NEXT: AtomicU8 = AtomicU8::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Subscriber {
    /// What the browser's page tells the chat.
    pub fn subscription(&self, endpoint: &str) -> Value {
        json!({
            "endpoint": endpoint,
            "expirationTime": null,
            "keys": {
                "p256dh": BASE64URL_NOPAD.encode(&self.point()),
                "auth": BASE64URL_NOPAD.encode(&self.auth),
            },
        })
    }

    /// What a message says, by the letter of RFC 8291; anything else fails the test.
    #[track_caller]
    pub fn decrypt(&self, message: &Arrived) -> String {
        assert_eq!(message.header("content-encoding"), "aes128gcm");
        let (salt, rest) = message.body.split_at(16);
        let (record_size, rest) = rest.split_at(4);
        assert!(u32::from_be_bytes(record_size.try_into().unwrap()) >= 18);
        let (id_length, rest) = rest.split_first().unwrap();
        let (sender, record) = rest.split_at(usize::from(*id_length));
        let sender_key = PublicKey::from_sec1_bytes(sender).unwrap();
        let shared = self.key.diffie_hellman(&sender_key);
        let info = [b"WebPush: info\0".as_slice(), &self.point(), sender].concat();
        let material: [u8; 32] = derive(&self.auth, shared.raw_secret_bytes(), &info);
        let key: [u8; 16] = derive(salt, &material, b"Content-Encoding: aes128gcm\0");
        let nonce: [u8; 12] = derive(salt, &material, b"Content-Encoding: nonce\0");
        let cipher = Aes128Gcm::new_from_slice(&key).unwrap();
        let padded = cipher.decrypt(&Nonce::from(nonce), record).unwrap();
        let end = padded.iter().rposition(|byte| *byte != 0).unwrap();
        assert_eq!(padded[end], 2, "the last record ends with 2");
        String::from_utf8(padded[..end].to_vec()).unwrap()
    }

    fn point(&self) -> Vec<u8> {
        self.key.public_key().to_sec1_point(false).as_bytes().to_vec()
    }
}

impl Arrived {
    /// A header that must be there.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(other, _)| other == name);
        &found.unwrap_or_else(|| panic!("no {name}: {:?}", self.headers)).1
    }

    /// Checks who sent it, by RFC 8292, and gives the key in base64url.
    #[track_caller]
    pub fn sender(&self) -> String {
        let authorization = self.header("authorization").strip_prefix("vapid ").unwrap();
        let (token, key) = authorization.split_once(", ").unwrap();
        let (token, key) = (token.strip_prefix("t=").unwrap(), key.strip_prefix("k=").unwrap());
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let bytes = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
        let verifying = VerifyingKey::from_sec1_bytes(&bytes(key)).unwrap();
        let signature = Signature::from_slice(&bytes(signature)).unwrap();
        verifying.verify(signed.as_bytes(), &signature).unwrap();
        let (header, claims) = signed.split_once('.').unwrap();
        let json = |text: &str| serde_json::from_slice::<Value>(&bytes(text)).unwrap();
        assert_eq!(json(header)["alg"], "ES256");
        let claims = json(claims);
        assert_eq!(claims["aud"], format!("http://{}", self.header("host")));
        let now_s = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs();
        let expires_s = claims["exp"].as_u64().unwrap();
        assert!(expires_s > now_s && expires_s <= now_s + 24 * 3_600);
        key.to_owned()
    }
}

fn derive<const BYTES: usize>(salt: &[u8], material: &[u8], info: &[u8]) -> [u8; BYTES] {
    let mut key = [0; BYTES];
    Hkdf::<Sha256>::new(Some(salt), material)
        .expand(info, &mut key)
        .unwrap();
    key
}

/// Takes the messages of one connection.
fn serve(stream: TcpStream, arrived: &Sender<Arrived>, replies: &Mutex<VecDeque<String>>) {
    let mut reader = BufReader::new(stream);
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if line.trim_end().is_empty() {
            break;
        }
        lines.push(line.trim_end().to_owned());
    }
    let mut request = lines[0].split(' ');
    assert_eq!(request.next(), Some("POST"));
    let path = request.next().unwrap().to_owned();
    let headers: Vec<(String, String)> = lines[1..]
        .iter()
        .map(|line| line.split_once(':').unwrap())
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length").unwrap();
    let mut body = vec![0; length.1.parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let planned = replies.lock().unwrap().pop_front();
    let head = planned.unwrap_or_else(|| "201 Created".to_owned());
    let reply = format!("HTTP/1.1 {head}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    reader.get_mut().write_all(reply.as_bytes()).unwrap();
    // A test that has ended wants nothing any more.
    let _ = arrived.send(Arrived { path, headers, body });
}
