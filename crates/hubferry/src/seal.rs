//! What may not be read by whoever reads the store: tokens in Redis, personal data in dead letters. AES-256-GCM with a key
//! from a file or the environment.
//!
//! A sealed text is `v1:` and, in base64, a nonce of 96 bits and the ciphertext with its tag. The place it belongs to is
//! authenticated with it, so that a sealed text cannot be moved to another place.

use std::fmt;

use aes_gcm::aead::{Aead, AeadCore, KeyInit, OsRng, Payload};
use aes_gcm::{Aes256Gcm, Key, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// A key of 256 bits. `Debug` shows nothing of it.
#[derive(Clone)]
pub(crate) struct SealKey(Aes256Gcm);

/// Why a key or a sealed text cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum SealError {
    /// The key is no key.
    #[error(
        "a key has 32 bytes, as they are, as 64 hexadecimal digits or in base64; `openssl rand -hex 32` makes one"
    )]
    Key,
    /// The text was not sealed by this build, or it is damaged.
    #[error("sealed by another version, or damaged")]
    Form,
    /// Another key, another place, or somebody changed it.
    #[error("the key does not open it: it was sealed with another one, or changed")]
    Refused,
}

const VERSION: &str = "v1:";
const NONCE_BYTES: usize = 12;
const KEY_BYTES: usize = 32;

impl SealKey {
    /// Reads a key: 32 bytes, 64 hexadecimal digits, or base64; white space at the ends of a text does not count.
    ///
    /// # Errors
    /// [`SealError::Key`] for anything else.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, SealError> {
        let key = std::str::from_utf8(bytes)
            .ok()
            .and_then(|text| of_text(text.trim()))
            .or_else(|| <[u8; KEY_BYTES]>::try_from(bytes).ok())
            .ok_or(SealError::Key)?;
        Ok(Self(Aes256Gcm::new(Key::<Aes256Gcm>::from_slice(&key))))
    }

    /// Seals a text for a place.
    ///
    /// # Errors
    /// None in practice: the cipher takes any text of less than 64 GiB.
    pub(crate) fn seal(&self, plain: &[u8], place: &str) -> Result<String, SealError> {
        let nonce = Aes256Gcm::generate_nonce(&mut OsRng);
        let payload = Payload {
            msg: plain,
            aad: place.as_bytes(),
        };
        let cipher = self
            .0
            .encrypt(&nonce, payload)
            .map_err(|_| SealError::Refused)?;
        let whole = [nonce.as_slice(), &cipher].concat();
        Ok(format!("{VERSION}{}", STANDARD.encode(whole)))
    }

    /// Opens a text that was sealed for the same place.
    ///
    /// # Errors
    /// When it is no sealed text, or the key or the place are others.
    pub(crate) fn open(&self, sealed: &str, place: &str) -> Result<Vec<u8>, SealError> {
        let whole = sealed
            .strip_prefix(VERSION)
            .and_then(|text| STANDARD.decode(text).ok())
            .filter(|whole| whole.len() > NONCE_BYTES)
            .ok_or(SealError::Form)?;
        let (nonce, cipher) = whole.split_at(NONCE_BYTES);
        let payload = Payload {
            msg: cipher,
            aad: place.as_bytes(),
        };
        self.0
            .decrypt(Nonce::from_slice(nonce), payload)
            .map_err(|_| SealError::Refused)
    }
}

fn of_text(text: &str) -> Option<[u8; KEY_BYTES]> {
    if text.len() == 2 * KEY_BYTES && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let mut key = [0; KEY_BYTES];
        for (byte, at) in key.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(&text[at..at + 2], 16).ok()?;
        }
        return Some(key);
    }
    STANDARD.decode(text).ok()?.try_into().ok()
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    fn key() -> SealKey {
        SealKey::parse(HEX.as_bytes()).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_in_its_place_alone() {
        let sealed = key().seal(b"secret", "acme/token").unwrap();
        assert!(sealed.starts_with("v1:") && !sealed.contains("secret"));
        assert_eq!(key().open(&sealed, "acme/token").unwrap(), b"secret");
        assert_eq!(key().open(&sealed, "other/token"), Err(SealError::Refused));
        let other = SealKey::parse(&[7; 32]).unwrap();
        assert_eq!(other.open(&sealed, "acme/token"), Err(SealError::Refused));
    }

    #[test]
    fn the_same_text_never_seals_to_the_same() {
        assert_ne!(
            key().seal(b"x", "p").unwrap(),
            key().seal(b"x", "p").unwrap()
        );
    }

    #[test]
    fn a_changed_or_foreign_text_is_refused() {
        let sealed = key().seal(b"secret", "p").unwrap();
        let mut changed = sealed.clone().into_bytes();
        // In the middle: the last digit before the padding has bits that have to be zero.
        let middle = changed.len() / 2;
        changed[middle] = if changed[middle] == b'A' { b'B' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert_eq!(key().open(&changed, "p"), Err(SealError::Refused));
        for foreign in ["", "v1:", "v1:AAAA", "v2:abcd", "plain"] {
            assert_eq!(key().open(foreign, "p"), Err(SealError::Form), "{foreign}");
        }
    }

    #[test]
    fn a_key_is_read_as_bytes_digits_or_base64() {
        let bytes: Vec<u8> = (0..32).collect();
        let base64 = STANDARD.encode(&bytes);
        let sealed = key().seal(b"x", "p").unwrap();
        for form in [bytes.as_slice(), HEX.as_bytes(), base64.as_bytes()] {
            assert_eq!(
                SealKey::parse(form).unwrap().open(&sealed, "p").unwrap(),
                b"x"
            );
        }
        assert!(SealKey::parse(format!("{HEX}\n").as_bytes()).is_ok());
        for bad in [&b"short"[..], &[0; 31], b""] {
            assert_eq!(SealKey::parse(bad).err(), Some(SealError::Key));
        }
        assert_eq!(format!("{:?}", key()), "SealKey");
    }
}
