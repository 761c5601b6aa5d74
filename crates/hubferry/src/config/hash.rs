//! A short hash of what was written, so that a dead letter says which configuration produced it.

use std::fmt::Write;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// Keys whose values never enter the hash: a rotated secret is the same configuration.
const SECRET_KEYS: [&str; 4] = ["token", "client_secret", "refresh_token", "url"];

/// Twelve hexadecimal digits.
pub(crate) fn of(root: &Value) -> String {
    let mut hasher = Sha256::new();
    feed(&mut hasher, root);
    hex(&hasher.finalize()[..6])
}

/// Lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").ok();
        text
    })
}

fn feed(hasher: &mut Sha256, value: &Value) {
    match value {
        Value::Object(members) => {
            hasher.update(b"{");
            for (key, member) in members {
                hasher.update(key.as_bytes());
                let secret = SECRET_KEYS.contains(&key.as_str()) && member.is_string();
                if !secret {
                    feed(hasher, member);
                }
            }
            hasher.update(b"}");
        }
        Value::Array(items) => {
            hasher.update(b"[");
            items.iter().for_each(|item| feed(hasher, item));
            hasher.update(b"]");
        }
        other => hasher.update(other.to_string().as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_do_not_change_the_hash_and_the_rest_does() {
        let one = json!({ "auth": { "token": "a" }, "x": 1 });
        let rotated = json!({ "auth": { "token": "b" }, "x": 1 });
        let other = json!({ "auth": { "token": "a" }, "x": 2 });
        assert_eq!(of(&one), of(&rotated));
        assert_ne!(of(&one), of(&other));
        assert_eq!(of(&one).len(), 12);
    }
}
