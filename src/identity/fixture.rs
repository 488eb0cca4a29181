//! What the tests of this room stand on: a ledger on disk, a node key, two clients, and a workshop for odd tokens.

use std::{path::PathBuf, sync::Arc};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;

use super::{ClientDirectory, ForeignIssuer, IdentityError, IssuedToken, Issuer, TokenRequest, TokenRules, Verifier};
use crate::{
    identifiers::{ClientId, Roles},
    keys::{KeyRing, PublicKeys, SigningKey},
    ledger::{ClientKeys, Ledger, Registration},
};

pub(super) const NODE: &str = "https://gd.example";
pub(super) const AUDIENCE: &str = "https://gd.example/v1";
pub(super) const ENDPOINT: &str = "https://gd.example/oauth/token";
pub(super) const DEPARTMENT: &str = "gz-civil-affairs";

/// A node with two clients, `window` (which most tests are about) and `kiosk`.
pub(super) struct Bench {
    dir: TempDir,
    pub(super) now: DateTime<Utc>,
    pub(super) ledger: Ledger,
    pub(super) directory: Arc<ClientDirectory>,
    pub(super) node_keys: Arc<KeyRing>,
    pub(super) node_key: Arc<SigningKey>,
    pub(super) client: ClientId,
    pub(super) client_key: SigningKey,
    pub(super) other_client_key: SigningKey,
}

impl Bench {
    pub(super) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&dir.path().join("ledger.sqlite")).await.unwrap();
        let directory = Arc::new(ClientDirectory::open(ledger.clone()).await.unwrap());
        let key = || SigningKey::generate().unwrap();
        let node_keys = Arc::new(KeyRing::of(key()));
        let bench = Self {
            dir,
            now: DateTime::from_timestamp(1_764_000_000, 0).unwrap(),
            ledger,
            directory,
            node_key: node_keys.signing(),
            node_keys,
            client: "window".parse().unwrap(),
            client_key: key(),
            other_client_key: key(),
        };
        bench.register("window", &jwks(&bench.client_key)).await;
        bench.register("kiosk", &jwks(&bench.other_client_key)).await;
        bench
    }

    pub(super) fn ledger_path(&self) -> PathBuf {
        self.dir.path().join("ledger.sqlite")
    }

    pub(super) async fn register(&self, id: &str, keys: &Value) {
        let registration = Registration {
            id: id.parse().unwrap(),
            department: DEPARTMENT.parse().unwrap(),
            name: id.to_owned(),
            keys: ClientKeys::from_json(&keys.to_string()).unwrap(),
            roles: Roles::default(),
        };
        self.ledger.register_client(registration, self.now).await.unwrap();
        self.directory.refresh().await.unwrap();
    }

    pub(super) fn rules(&self) -> TokenRules {
        TokenRules::new(NODE, AUDIENCE, ENDPOINT)
    }

    pub(super) fn issuer(&self) -> Issuer {
        Issuer::new(self.rules(), self.node_keys.clone(), self.directory.clone()).unwrap()
    }

    pub(super) fn verifier(&self, foreign: Vec<ForeignIssuer>) -> Verifier {
        let own = self.node_keys.public();
        Verifier::new(self.rules(), &own, foreign, self.directory.clone()).unwrap()
    }

    pub(super) async fn issue(&self, assertion: String) -> Result<IssuedToken, IdentityError> {
        self.issuer().issue(&TokenRequest::with_assertion(assertion), Uuid::from_u128(7), self.now).await
    }

    /// A token of `window`, by the regular way.
    pub(super) async fn access_token(&self, jti: &str) -> String {
        let assertion = super::assertion::make(&self.client_key, &self.client, ENDPOINT, self.now, jti);
        self.issue(assertion).await.unwrap().access_token
    }

    /// Seconds since 1970, so many after now.
    pub(super) fn after(&self, seconds: i64) -> i64 {
        self.now.timestamp() + seconds
    }
}

/// The public half as a JWK set.
pub(super) fn jwks(key: &SigningKey) -> Value {
    PublicKeys::new([key.public()]).jwks()
}

/// A JWS of any header and payload, signed by whatever is handed in.
pub(super) fn jws(header: &str, payload: &str, sign: impl Fn(&[u8]) -> Vec<u8>) -> String {
    let signed = format!("{}.{}", BASE64URL.encode(header), BASE64URL.encode(payload));
    let signature = BASE64URL.encode(sign(signed.as_bytes()));
    format!("{signed}.{signature}")
}

/// Signs with an Ed25519 key.
pub(super) fn by(key: &SigningKey) -> impl Fn(&[u8]) -> Vec<u8> + '_ {
    |message| key.sign(message).to_vec()
}

/// `base` with members set, or taken out where they are null.
pub(super) fn with(base: &Value, changes: Value) -> String {
    let mut changed = base.clone();
    let members = changed.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => members.remove(name),
            other => members.insert(name.clone(), other.clone()),
        };
    }
    changed.to_string()
}

/// A P-256 key: its JWK, and how it signs.
pub(super) fn p256() -> (Value, impl Fn(&[u8]) -> Vec<u8>) {
    use aws_lc_rs::{
        rand::SystemRandom,
        signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
    };
    let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let point = pair.public_key().as_ref();
    let (x, y) = (BASE64URL.encode(&point[1..33]), BASE64URL.encode(&point[33..]));
    let jwk = json!({ "kty": "EC", "crv": "P-256", "kid": "p256", "x": x, "y": y });
    (jwk, move |message| pair.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec())
}

/// An RSA key of 2048 bits: its JWK, and how it signs.
pub(super) fn rsa() -> (Value, impl Fn(&[u8]) -> Vec<u8>) {
    use aws_lc_rs::{
        rand::SystemRandom,
        rsa::{KeyPair, KeySize},
        signature::{KeyPair as _, RSA_PKCS1_SHA256},
    };
    let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
    let public = pair.public_key();
    let (n, e) =
        (public.modulus().big_endian_without_leading_zero(), public.exponent().big_endian_without_leading_zero());
    let jwk = json!({ "kty": "RSA", "kid": "rsa", "n": BASE64URL.encode(n), "e": BASE64URL.encode(e) });
    let sign = move |message: &[u8]| {
        let mut signature = vec![0; pair.public_modulus_len()];
        pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).unwrap();
        signature
    };
    (jwk, sign)
}
