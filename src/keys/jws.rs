//! Compact JWS (RFC 7515) with EdDSA (RFC 8037), and nothing else.
//!
//! One algorithm, one way to write it: what this module accepts has exactly one spelling, so that a changed bit
//! anywhere, even in the unused bits of the last base64 character, is a changed message.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use serde::Deserialize;

use super::{PublicKey, PublicKeys, SigningKey};

/// The protected header as we write and accept it.
#[derive(Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    pub alg: String,
    pub kid: String,
    pub typ: String,
}

/// Why a compact JWS is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwsError {
    #[error("not a compact JWS of three base64url parts")]
    Malformed,
    #[error("the header is not exactly alg, kid and typ")]
    Header,
    #[error("the algorithm is not EdDSA")]
    Algorithm,
    #[error("the type is not the one expected")]
    Type,
    #[error("signed by a key that is not in the key set")]
    UnknownKey,
    #[error("the signature does not verify")]
    Signature,
}

/// Sign a payload; `typ` keeps tokens of one kind from passing for another (RFC 8725 section 3.11).
pub fn sign(key: &SigningKey, typ: &str, payload: &[u8]) -> String {
    let header = format!(r#"{{"alg":"EdDSA","kid":"{}","typ":"{typ}"}}"#, key.kid());
    let mut text = String::with_capacity((header.len() + payload.len()) * 4 / 3 + 96);
    BASE64URL.encode_string(header, &mut text);
    text.push('.');
    BASE64URL.encode_string(payload, &mut text);
    let signature = key.sign(text.as_bytes());
    text.push('.');
    BASE64URL.encode_string(signature, &mut text);
    text
}

/// The payload of a JWS whose signature verifies under a key of the set.
pub fn verify(text: &str, typ: &str, keys: &PublicKeys) -> Result<Vec<u8>, JwsError> {
    verify_by(text, typ, keys).map(|(payload, _)| payload)
}

/// The same, and which key it was.
pub fn verify_by<'a>(text: &str, typ: &str, keys: &'a PublicKeys) -> Result<(Vec<u8>, &'a PublicKey), JwsError> {
    let (signed, signature) = text.rsplit_once('.').ok_or(JwsError::Malformed)?;
    let (header, payload) = signed.split_once('.').ok_or(JwsError::Malformed)?;
    let decode = |part: &str| BASE64URL.decode(part).map_err(|_| JwsError::Malformed);
    let header: Header = serde_json::from_slice(&decode(header)?).map_err(|_| JwsError::Header)?;
    if header.alg != "EdDSA" {
        return Err(JwsError::Algorithm);
    }
    if header.typ != typ {
        return Err(JwsError::Type);
    }
    let key = keys.find(&header.kid).ok_or(JwsError::UnknownKey)?;
    let payload = decode(payload)?;
    if !key.verify(signed.as_bytes(), &decode(signature)?) {
        return Err(JwsError::Signature);
    }
    Ok((payload, key))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_changed_bit_is_refused() {
        let key = SigningKey::generate().unwrap();
        let keys = PublicKeys::new([key.public()]);
        let text = sign(&key, "test+jwt", br#"{"a":1}"#);
        assert_eq!(verify(&text, "test+jwt", &keys).unwrap(), br#"{"a":1}"#);
        for position in 0..text.len() * 8 {
            let mut bytes = text.clone().into_bytes();
            bytes[position / 8] ^= 1 << (position % 8);
            if let Ok(changed) = String::from_utf8(bytes) {
                assert!(verify(&changed, "test+jwt", &keys).is_err(), "bit {position}");
            }
        }
    }

    #[test]
    fn each_refusal_has_its_reason() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let keys = PublicKeys::new([key.public()]);
        let forged = |header: &str| {
            let signed = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode("{}"));
            format!("{signed}.{}", BASE64URL.encode(key.sign(signed.as_bytes())))
        };
        let kid = key.kid();
        let cases = [
            ("".to_owned(), JwsError::Malformed),
            ("a.b".to_owned(), JwsError::Malformed),
            (forged("{}"), JwsError::Header),
            (forged(&format!(r#"{{"alg":"none","kid":"{kid}","typ":"t"}}"#)), JwsError::Algorithm),
            (forged(&format!(r#"{{"alg":"HS256","kid":"{kid}","typ":"t"}}"#)), JwsError::Algorithm),
            (forged(&format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"at+jwt"}}"#)), JwsError::Type),
            (forged(&format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"t","crit":["x"]}}"#)), JwsError::Header),
            (forged(r#"{"alg":"EdDSA","kid":"elsewhere","typ":"t"}"#), JwsError::UnknownKey),
            (sign(&other, "t", b"{}"), JwsError::UnknownKey),
        ];
        for (text, reason) in cases {
            assert_eq!(verify(&text, "t", &keys), Err(reason), "{text}");
        }
    }
}
