//! The two steps of the national platform: a secret for some hours, got with the appKey, then calls signed with it. Pure.
//!
//! The secret is computed from the appKey and the hour at which it ends. So nothing is kept: replicas and a node that was
//! started again know the same secrets, and refreshing twice takes nothing away from who refreshed first. It weakens
//! nothing: whoever has the appKey can ask for the secret anyway, and the secret does not lead back to the appKey.

use aws_lc_rs::{
    cipher::{
        AES_128, AES_256, DecryptionContext, PaddedBlockDecryptingKey, PaddedBlockEncryptingKey, UnboundCipherKey,
    },
    hmac,
};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use chrono::{DateTime, Utc};

/// A secret holds for one to two of these: whoever steals one may use it for that long, and refreshing is two calls more.
const WINDOW_S: i64 = 3_600;
const SECRET_CHARS: usize = 32;
const LABEL: &str = "shuqiao-uplink-secret-v1";

/// A secret and the moment from which it is no longer accepted.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Secret {
    pub(super) text: String,
    pub(super) end: DateTime<Utc>,
}

/// The secret that a caller gets now.
pub(super) fn issue(app_key: &[u8], rid: &str, now: DateTime<Utc>) -> Secret {
    secret(app_key, rid, window(now) + 2)
}

/// The secrets that are accepted now: that of this hour and that of the one before.
pub(super) fn in_force(app_key: &[u8], rid: &str, now: DateTime<Utc>) -> [Secret; 2] {
    [2, 1].map(|ahead| secret(app_key, rid, window(now) + ahead))
}

/// The secrets that ended last: of a caller that has not refreshed in time.
pub(super) fn ended(app_key: &[u8], rid: &str, now: DateTime<Utc>) -> [Secret; 2] {
    [0, -1].map(|ahead| secret(app_key, rid, window(now) + ahead))
}

fn window(now: DateTime<Utc>) -> i64 {
    now.timestamp().div_euclid(WINDOW_S)
}

/// `window` ends the secret with its beginning.
fn secret(app_key: &[u8], rid: &str, window: i64) -> Secret {
    let end = DateTime::from_timestamp(window.saturating_mul(WINDOW_S), 0).unwrap_or(DateTime::UNIX_EPOCH);
    let key = hmac::Key::new(hmac::HMAC_SHA256, app_key);
    let mut text = hex::encode(hmac::sign(&key, format!("{LABEL}\n{rid}\n{}", end.timestamp()).as_bytes()));
    text.truncate(SECRET_CHARS);
    Secret { text, end }
}

/// Can the key encrypt a secret? AES takes 16 or 32 bytes.
pub(super) fn can_seal(app_key: &[u8]) -> bool {
    cipher(app_key).is_some()
}

/// The secret for its way: AES of the appKey's bytes, ECB, PKCS#7 (which Java calls PKCS5), Base64.
///
/// Our notes on the platform say AES and no more; this is what such platforms use. ECB hides no repetition and nothing in
/// it notices a change: the first does not matter for one text without repetition, the second shows at the first call.
pub(super) fn seal(app_key: &[u8], secret: &str) -> Option<String> {
    let mut bytes = secret.as_bytes().to_vec();
    PaddedBlockEncryptingKey::ecb_pkcs7(cipher(app_key)?).ok()?.encrypt(&mut bytes).ok()?;
    Some(BASE64.encode(bytes))
}

/// The secret as it was before [`seal`]; nothing, where it was sealed otherwise.
pub(super) fn open(app_key: &[u8], sealed: &str) -> Option<String> {
    let mut bytes = BASE64.decode(sealed).ok()?;
    let key = PaddedBlockDecryptingKey::ecb_pkcs7(cipher(app_key)?).ok()?;
    let text = key.decrypt(&mut bytes, DecryptionContext::None).ok()?;
    String::from_utf8(text.to_vec()).ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_graphic()))
}

fn cipher(app_key: &[u8]) -> Option<UnboundCipherKey> {
    let algorithm = match app_key.len() {
        16 => &AES_128,
        32 => &AES_256,
        _ => return None,
    };
    UnboundCipherKey::new(algorithm, app_key).ok()
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use proptest::prelude::*;

    use super::*;

    const APP_KEY: &[u8] = b"0123456789abcdef0123456789abcdef";

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_755_763_200, 0).unwrap() + TimeDelta::seconds(second)
    }

    /// FIPS 197 appendix C.3 (AES-256, one block): the block cipher and the mode are what they are called.
    #[test]
    fn the_cipher_is_that_of_the_standard() {
        let key: Vec<u8> = (0..32).collect();
        let mut bytes = hex::decode("00112233445566778899aabbccddeeff").unwrap();
        PaddedBlockEncryptingKey::ecb_pkcs7(cipher(&key).unwrap()).unwrap().encrypt(&mut bytes).unwrap();
        assert_eq!(hex::encode(&bytes[..16]), "8ea2b7ca516745bfeafc49904b496089");
        assert_eq!(bytes.len(), 32, "a whole block is padded by another");
    }

    #[test]
    fn a_sealed_secret_opens_with_its_key_only() {
        let secret = issue(APP_KEY, "rid", at(0));
        let sealed = seal(APP_KEY, &secret.text).unwrap();
        assert_eq!(open(APP_KEY, &sealed), Some(secret.text.clone()));
        assert_ne!(open(b"another key of thirty-two bytes.", &sealed), Some(secret.text));
        for text in ["", "?", "AAAA", &sealed[4..]] {
            assert_eq!(open(APP_KEY, text), None, "{text}");
        }
        assert_eq!(seal(b"seventeen bytes..", "secret"), None);
        assert!(can_seal(b"sixteen bytes...") && !can_seal(b"seventeen bytes.."));
    }

    #[test]
    fn each_caller_has_its_own_secret() {
        assert_ne!(issue(APP_KEY, "one", at(0)).text, issue(APP_KEY, "other", at(0)).text);
        assert_eq!(issue(APP_KEY, "one", at(0)).text.len(), SECRET_CHARS);
    }

    proptest! {
        /// However long after it was issued: until its end a secret is accepted, from then on not.
        #[test]
        fn a_secret_is_accepted_until_its_end(issued in 0_i64..1_000_000, after in 0_i64..12_000) {
            let secret = issue(APP_KEY, "rid", at(issued));
            let life = secret.end - at(issued);
            prop_assert!(life > TimeDelta::seconds(WINDOW_S) && life <= TimeDelta::seconds(2 * WINDOW_S));
            let now = at(issued + after);
            prop_assert_eq!(in_force(APP_KEY, "rid", now).contains(&secret), now < secret.end, "{}", now);
        }
    }

    impl std::fmt::Debug for Secret {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "Secret(until {})", self.end)
        }
    }
}
