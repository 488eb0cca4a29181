//! Public keys of others, as JWK sets (RFC 7517): of clients and of foreign issuers.
//!
//! A key is for one algorithm, and its type says which. Nothing a token says can change that, so a public key can never
//! be taken for a shared secret.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use jsonwebtoken::{DecodingKey, crypto};
use serde_json::{Map, Value};

use super::{Refusal, error::shown};

/// The signature algorithms taken from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// Ed25519 (RFC 8037).
    EdDsa,
    /// ECDSA on P-256 with SHA-256 (RFC 7518 section 3.4).
    Es256,
    /// RSA PKCS#1 v1.5 with SHA-256, 2048 bits or more (RFC 7518 section 3.3).
    Rs256,
}

impl Algorithm {
    pub(super) const NAMES: &str = "EdDSA, ES256, RS256";

    /// By its JOSE name. `Ed25519` is the newer name of the same (RFC 9864 section 2.2).
    pub fn from_jose(name: &str) -> Option<Self> {
        match name {
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            "ES256" => Some(Self::Es256),
            "RS256" => Some(Self::Rs256),
            _ => None,
        }
    }

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Rs256 => "RS256",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A public key that signatures can be checked with.
#[derive(Clone, Debug)]
pub(super) struct VerifyingKey {
    kid: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

impl VerifyingKey {
    pub(super) fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &str) -> bool {
        let algorithm = match self.algorithm {
            Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
            Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        };
        crypto::verify(signature, message, &self.key, algorithm).unwrap_or(false)
    }

    /// A JWK for signatures, or the reason why it cannot be used.
    fn from_jwk(jwk: &Value) -> Result<Self, String> {
        let members = jwk.as_object().ok_or("it is not an object")?;
        if members.contains_key("d") || members.contains_key("k") {
            return Err("it holds a private or shared key".to_owned());
        }
        if members.get("use").is_some_and(|usage| usage != "sig") {
            return Err("it is not for signatures".to_owned());
        }
        let verifies = |ops: &Value| ops.as_array().is_some_and(|ops| ops.iter().any(|op| op == "verify"));
        if members.get("key_ops").is_some_and(|ops| !verifies(ops)) {
            return Err("it is not for verifying".to_owned());
        }
        let (algorithm, key) = decoding_key(members)?;
        let stated = members.get("alg").map(|alg| alg.as_str().and_then(Algorithm::from_jose));
        if stated.is_some_and(|stated| stated != Some(algorithm)) {
            return Err(format!("its `alg` is not {algorithm}, the one for its type"));
        }
        let kid = members.get("kid").and_then(Value::as_str).map(str::to_owned);
        Ok(Self { kid, algorithm, key })
    }
}

/// The key itself; its type and curve fix the algorithm.
fn decoding_key(members: &Map<String, Value>) -> Result<(Algorithm, DecodingKey), String> {
    let text = |member: &str| members.get(member).and_then(Value::as_str);
    let bytes = |member: &str| -> Result<Vec<u8>, String> {
        let encoded = text(member).ok_or_else(|| format!("it lacks `{member}`"))?;
        BASE64URL.decode(encoded).map_err(|_| format!("its `{member}` is not base64url"))
    };
    let coordinate = |member: &str| match bytes(member)? {
        bytes if bytes.len() == 32 => Ok(bytes),
        _ => Err(format!("its `{member}` is not 32 bytes")),
    };
    match (text("kty"), text("crv")) {
        (Some("OKP"), Some("Ed25519")) => Ok((Algorithm::EdDsa, DecodingKey::from_ed_der(&coordinate("x")?))),
        (Some("EC"), Some("P-256")) => {
            // SEC 1 section 2.3.3: 4 says that both coordinates follow.
            let point = [vec![4], coordinate("x")?, coordinate("y")?].concat();
            Ok((Algorithm::Es256, DecodingKey::from_ec_der(&point)))
        }
        (Some("RSA"), None) => {
            let (modulus, exponent) = (bytes("n")?, bytes("e")?);
            let bits = modulus.len() * 8 - modulus.first().map_or(0, |first| first.leading_zeros() as usize);
            if !(2048..=8192).contains(&bits) || modulus[0] == 0 {
                return Err(format!("its modulus has {bits} bits, accepted are 2048 to 8192"));
            }
            Ok((Algorithm::Rs256, DecodingKey::from_rsa_raw_components(&modulus, &exponent)))
        }
        _ => Err("it is not of a type used here (OKP Ed25519, EC P-256, RSA)".to_owned()),
    }
}

/// The usable keys of a JWK set.
#[derive(Clone, Debug, Default)]
pub struct KeySet {
    keys: Vec<VerifyingKey>,
    passed_over: Vec<String>,
}

impl KeySet {
    /// Read a JWK set. Keys that cannot be used are passed over, because a set may serve several purposes
    /// (RFC 7517 section 5); what was passed over is told by [`KeySet::passed_over`].
    pub fn from_json(text: &str) -> Result<Self, String> {
        let document: Value = serde_json::from_str(text).map_err(|_| "it is not JSON")?;
        let listed = document.get("keys").and_then(Value::as_array).ok_or("it has no list `keys`")?;
        let mut set = Self { keys: Vec::new(), passed_over: Vec::new() };
        for (position, jwk) in listed.iter().enumerate() {
            match VerifyingKey::from_jwk(jwk) {
                Ok(key) => set.keys.push(key),
                Err(reason) => set.passed_over.push(format!("key {position}: {reason}")),
            }
        }
        Ok(set)
    }

    /// One line for each key that cannot be used, with its reason.
    pub fn passed_over(&self) -> &[String] {
        &self.passed_over
    }

    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The key of that name; without a name, the only key.
    pub(super) fn find(&self, kid: Option<&str>) -> Result<&VerifyingKey, Refusal> {
        let Some(kid) = kid else {
            return match self.keys.as_slice() {
                [only] => Ok(only),
                _ => Err(Refusal::KeyUnnamed),
            };
        };
        let mut named = self.keys.iter().filter(|key| key.kid.as_deref() == Some(kid));
        match (named.next(), named.next()) {
            (Some(key), None) => Ok(key),
            (None, _) => Err(Refusal::KeyUnknown { kid: shown(kid) }),
            (Some(_), Some(_)) => Err(Refusal::KeyAmbiguous { kid: shown(kid) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(length: usize) -> String {
        BASE64URL.encode(vec![0x81; length])
    }

    #[test]
    fn a_key_that_cannot_be_used_is_passed_over_with_its_reason() {
        let (short, point, modulus) = (encoded(31), encoded(32), encoded(256));
        let cases = [
            (r#"7"#.to_owned(), "not an object"),
            (r#"{"kty":"oct","k":"AAAA"}"#.to_owned(), "private or shared"),
            (format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{point}","d":"AA"}}"#), "private or shared"),
            (format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{short}"}}"#), "`x` is not 32 bytes"),
            (format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{point}="}}"#), "`x` is not base64url"),
            (format!(r#"{{"kty":"OKP","crv":"X25519","x":"{point}"}}"#), "not of a type used here"),
            (format!(r#"{{"kty":"EC","crv":"P-256","x":"{point}"}}"#), "lacks `y`"),
            (format!(r#"{{"kty":"EC","crv":"P-384","x":"{point}","y":"{point}"}}"#), "not of a type used here"),
            (format!(r#"{{"kty":"RSA","n":"{}","e":"AQAB"}}"#, encoded(128)), "1024 bits"),
            (r#"{"kty":"RSA","n":"","e":"AQAB"}"#.to_owned(), "0 bits"),
            (format!(r#"{{"kty":"RSA","n":"{modulus}","e":"AQAB","alg":"PS256"}}"#), "`alg` is not RS256"),
            (format!(r#"{{"kty":"RSA","n":"{modulus}","e":"AQAB","alg":"HS256"}}"#), "`alg` is not RS256"),
            (format!(r#"{{"kty":"RSA","n":"{modulus}","e":"AQAB","use":"enc"}}"#), "not for signatures"),
            (format!(r#"{{"kty":"RSA","n":"{modulus}","e":"AQAB","key_ops":["sign"]}}"#), "not for verifying"),
        ];
        for (jwk, reason) in cases {
            let set = KeySet::from_json(&format!(r#"{{"keys":[{jwk}]}}"#)).unwrap();
            assert!(set.is_empty(), "{jwk}");
            assert!(set.passed_over()[0].contains(reason), "{jwk}: {:?}", set.passed_over());
        }
    }

    #[test]
    fn a_key_is_found_by_its_name_or_because_it_is_the_only_one() {
        let jwk = |kid: &str| {
            format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}","kid":"{kid}","alg":"Ed25519"}}"#, encoded(32))
        };
        let set = |kids: &[&str]| {
            let keys = kids.iter().map(|kid| jwk(kid)).collect::<Vec<_>>().join(",");
            KeySet::from_json(&format!(r#"{{"keys":[{keys}]}}"#)).unwrap()
        };
        assert!(set(&["a", "b"]).find(Some("b")).is_ok());
        assert!(set(&["a"]).find(None).is_ok());
        let cases = [
            (set(&["a", "b"]), None, Refusal::KeyUnnamed),
            (set(&[]), None, Refusal::KeyUnnamed),
            (set(&["a"]), Some("A"), Refusal::KeyUnknown { kid: "A".to_owned() }),
            (set(&["a", "a"]), Some("a"), Refusal::KeyAmbiguous { kid: "a".to_owned() }),
        ];
        for (set, kid, refusal) in cases {
            assert_eq!(set.find(kid).unwrap_err(), refusal);
        }
    }
}
