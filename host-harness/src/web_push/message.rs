//! What a browser is sent: one record that only that browser can read (RFC 8291), and the header by which its push
//! service knows who sends it (RFC 8292).

use std::time::{Duration, SystemTime};

use aes_gcm::aead::{Aead as _, KeyInit as _};
use aes_gcm::{Aes128Gcm, Nonce};
use data_encoding::BASE64URL_NOPAD;
use hkdf::Hkdf;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::sec1::ToSec1Point as _;
use p256::{PublicKey, SecretKey};
use sha2::{Digest as _, Sha256};

/// Bytes of a browser's authentication secret (RFC 8291, section 3.2).
pub(super) const AUTH_BYTES: usize = 16;

/// Bytes of a point on P-256, uncompressed (X9.62).
pub(super) const POINT_BYTES: usize = 65;

/// Bytes of the salt (RFC 8188, section 2.1).
const SALT_BYTES: usize = 16;

/// Largest record, as the header of the message says it: what push services have to take (RFC 8291, section 4).
const RECORD_BYTES: u32 = 4_096;

/// What ends the last record (RFC 8188, section 2).
const LAST_RECORD: u8 = 2;

/// Time for which a signed header is good: half of what the standard allows, for clocks that disagree.
const SIGNED_FOR: Duration = Duration::from_secs(12 * 3_600);

/// A message cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("the system has no randomness, or a key does not fit")]
pub(super) struct NoMessage;

/// The key by which push services know this host.
pub(super) struct Identity {
    key: SigningKey,
    pub(super) public_key: Vec<u8>,
    /// Whom a push service may ask about what this host sends.
    contact: Option<String>,
}

impl Identity {
    /// The identity of a secret, always the same one. `contact` is an https address.
    pub(super) fn new(secret: &[u8], contact: Option<String>) -> Option<Self> {
        // Nearly every hash is a private key; the first that is one is taken.
        let key = (0..=u8::MAX).find_map(|number| {
            let hash = Sha256::new().chain_update(secret).chain_update([number]).finalize();
            SecretKey::from_slice(&hash).ok()
        })?;
        Some(Self {
            public_key: point(&key.public_key()),
            key: key.into(),
            contact,
        })
    }

    /// The header `Authorization` for a push service, by its origin.
    pub(super) fn authorization(&self, origin: &str, now: SystemTime) -> String {
        let expires = now.checked_add(SIGNED_FOR).unwrap_or(now);
        let expires_s = expires
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |time| time.as_secs());
        let mut claims = serde_json::json!({ "aud": origin, "exp": expires_s });
        if let (Some(contact), Some(claims)) = (&self.contact, claims.as_object_mut()) {
            claims.insert("sub".to_owned(), contact.as_str().into());
        }
        let encoded = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
        let signed = format!(
            "{}.{}",
            encoded(r#"{"typ":"JWT","alg":"ES256"}"#),
            encoded(&claims.to_string())
        );
        let signature: Signature = self.key.sign(signed.as_bytes());
        let signature = BASE64URL_NOPAD.encode(&signature.to_bytes());
        format!(
            "vapid t={signed}.{signature}, k={}",
            BASE64URL_NOPAD.encode(&self.public_key)
        )
    }
}

/// Encrypts for a browser, by its public key and its authentication secret.
pub(super) fn encrypt(text: &[u8], browser: &PublicKey, auth: &[u8]) -> Result<Vec<u8>, NoMessage> {
    let mut salt = [0; SALT_BYTES];
    getrandom::fill(&mut salt).map_err(|_| NoMessage)?;
    let mut seed = [0; 32];
    let key = loop {
        getrandom::fill(&mut seed).map_err(|_| NoMessage)?;
        if let Ok(key) = SecretKey::from_slice(&seed) {
            break key;
        }
    };
    encrypt_with(text, browser, auth, &key, &salt)
}

fn encrypt_with(
    text: &[u8],
    browser: &PublicKey,
    auth: &[u8],
    key: &SecretKey,
    salt: &[u8],
) -> Result<Vec<u8>, NoMessage> {
    let own_point = point(&key.public_key());
    let shared = key.diffie_hellman(browser);
    let info = [b"WebPush: info\0", point(browser).as_slice(), &own_point].concat();
    let material: [u8; 32] = derive(auth, shared.raw_secret_bytes(), &info)?;
    let content_key: [u8; 16] = derive(salt, &material, b"Content-Encoding: aes128gcm\0")?;
    let nonce: [u8; 12] = derive(salt, &material, b"Content-Encoding: nonce\0")?;

    let cipher = Aes128Gcm::new_from_slice(&content_key).map_err(|_| NoMessage)?;
    let record = [text, &[LAST_RECORD]].concat();
    let encrypted = cipher
        .encrypt(&Nonce::from(nonce), record.as_slice())
        .map_err(|_| NoMessage)?;
    let id_bytes = u8::try_from(own_point.len()).map_err(|_| NoMessage)?;
    Ok([salt, &RECORD_BYTES.to_be_bytes(), &[id_bytes], &own_point, &encrypted].concat())
}

fn derive<const BYTES: usize>(salt: &[u8], material: &[u8], info: &[u8]) -> Result<[u8; BYTES], NoMessage> {
    let mut key = [0; BYTES];
    Hkdf::<Sha256>::new(Some(salt), material)
        .expand(info, &mut key)
        .map_err(|_| NoMessage)?;
    Ok(key)
}

fn point(key: &PublicKey) -> Vec<u8> {
    key.to_sec1_point(false).as_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn the_example_of_the_standard() {
        // RFC 8291, section 5 and appendix A.
        let bytes = |text: &str| BASE64URL_NOPAD.decode(text.as_bytes()).unwrap();
        let key = SecretKey::from_slice(&bytes("yfWPiYE-n46HLnH0KqZOF1fJJU3MYrct3AELtAQ-oRw")).unwrap();
        let browser = PublicKey::from_sec1_bytes(&bytes(
            "BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4bjyPjs7Vd8pZGH6SRpkNtoIAiw4",
        ))
        .unwrap();
        let (auth, salt) = (bytes("BTBZMqHH6r4Tts7J_aSIgg"), bytes("DGv6ra1nlYgDCS1FRnbzlw"));
        let text = b"When I grow up, I want to be a watermelon";
        let message = encrypt_with(text, &browser, &auth, &key, &salt).unwrap();
        assert_eq!(
            BASE64URL_NOPAD.encode(&message),
            "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl\
             7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
        );
    }

    #[test]
    fn an_identity_is_the_same_every_time() {
        let identity = |secret: &[u8]| Identity::new(secret, None).unwrap().public_key;
        assert_eq!(identity(b"a").len(), POINT_BYTES);
        assert_eq!(identity(b"a"), identity(b"a"));
        assert_ne!(identity(b"a"), identity(b"b"));
    }
}
