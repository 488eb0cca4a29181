//! Public keys, and sets of them as JWK documents (RFC 7517).

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use serde_json::{Value, json};

use super::{KeyError, signing::thumbprint};

/// An Ed25519 public key with its key id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey {
    kid: String,
    bytes: [u8; 32],
}

impl PublicKey {
    pub(super) fn from_bytes(kid: String, bytes: [u8; 32]) -> Self {
        Self { kid, bytes }
    }

    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub fn bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    pub fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, &self.bytes).verify(message, signature).is_ok()
    }

    /// The key as a JWK of RFC 8037.
    pub fn jwk(&self) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "x": BASE64URL.encode(self.bytes), "kid": self.kid, "alg": "EdDSA", "use": "sig" })
    }

    /// A JWK without `kid` is named by its thumbprint.
    fn from_jwk(jwk: &Value) -> Result<Self, KeyError> {
        let bad = |reason: &str| KeyError::NotAKeySet { reason: reason.to_owned() };
        if jwk.get("d").is_some() {
            return Err(bad("a private key (`d`) stands in it. Publish the public half only"));
        }
        let text = jwk.get("x").and_then(Value::as_str).ok_or_else(|| bad("a key lacks `x`"))?;
        let decoded = BASE64URL.decode(text).map_err(|_| bad("`x` is not base64url"))?;
        let bytes: [u8; 32] = decoded.try_into().map_err(|_| bad("`x` is not 32 bytes"))?;
        let kid = jwk.get("kid").and_then(Value::as_str).map_or_else(|| thumbprint(&bytes), str::to_owned);
        Ok(Self { kid, bytes })
    }
}

/// A set of public keys, found by key id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PublicKeys {
    keys: Vec<PublicKey>,
}

impl PublicKeys {
    pub fn new(keys: impl IntoIterator<Item = PublicKey>) -> Self {
        Self { keys: keys.into_iter().collect() }
    }

    /// Read a JWK set, or a single JWK. Keys of other types are passed over: a set may serve several purposes.
    pub fn from_json(text: &str) -> Result<Self, KeyError> {
        let read = Self::from_document(text)?;
        if read.keys.is_empty() {
            return Err(KeyError::NotAKeySet { reason: "no Ed25519 key in it".to_owned() });
        }
        Ok(read)
    }

    /// The same, where the set may hold none.
    pub(super) fn from_document(text: &str) -> Result<Self, KeyError> {
        let bad = |reason: String| KeyError::NotAKeySet { reason };
        let document: Value = serde_json::from_str(text).map_err(|error| bad(error.to_string()))?;
        let one = std::slice::from_ref(&document);
        let listed = match document.get("keys") {
            Some(keys) => keys.as_array().ok_or_else(|| bad("`keys` is not a list".to_owned()))?.as_slice(),
            None => one,
        };
        let ours = |jwk: &&Value| jwk.get("kty") == Some(&json!("OKP")) && jwk.get("crv") == Some(&json!("Ed25519"));
        let keys = listed.iter().filter(ours).map(PublicKey::from_jwk).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { keys })
    }

    pub fn find(&self, kid: &str) -> Option<&PublicKey> {
        self.keys.iter().find(|key| key.kid == kid)
    }

    pub fn iter(&self) -> impl Iterator<Item = &PublicKey> {
        self.keys.iter()
    }

    /// The JWK set document, as served at `/.well-known/jwks.json`.
    pub fn jwks(&self) -> Value {
        json!({ "keys": self.keys.iter().map(PublicKey::jwk).collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::{super::SigningKey, *};

    #[test]
    fn a_set_survives_its_own_document_and_skips_strangers() {
        let key = SigningKey::generate().unwrap();
        let mut document = PublicKeys::new([key.public()]).jwks();
        document["keys"].as_array_mut().unwrap().push(json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "r" }));
        let read = PublicKeys::from_json(&document.to_string()).unwrap();
        assert_eq!(read.find(key.kid()), Some(&key.public()));
        assert_eq!(read.iter().count(), 1);
    }

    #[test]
    fn a_private_half_in_a_public_set_is_refused() {
        let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": BASE64URL.encode([1; 32]), "d": "secret" });
        let error = PublicKeys::from_json(&jwk.to_string()).unwrap_err();
        assert!(error.to_string().contains("private key"), "{error}");
    }

    #[test]
    fn a_signature_of_another_message_or_key_does_not_verify() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let signature = key.sign(b"message");
        assert!(key.public().verify(b"message", &signature));
        assert!(!key.public().verify(b"messagf", &signature));
        assert!(!other.public().verify(b"message", &signature));
    }
}
