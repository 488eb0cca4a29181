//! The signing keys of a node, and the public key sets of others.
//!
//! Floor 1: may use `problem`. Ed25519 throughout (RFC 8032; JOSE names it EdDSA with curve Ed25519, RFC 8037). A private
//! key never leaves [`SigningKey`]; its file is readable by its owner only. Platforms above the province share keys
//! instead ([`SharedKey`]).

pub mod jws;
mod public;
mod ring;
mod shared;
mod signing;

pub use public::{PublicKey, PublicKeys};
pub use ring::{KeyRing, Rotated};
pub use shared::SharedKey;
pub use signing::SigningKey;

use crate::problem::Code;

/// Why a key could not be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("key file `{path}` could not be read or written")]
    File {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error("key file `{path}` is not an Ed25519 private key in PKCS#8 PEM")]
    NotAKey { path: String },
    #[error("key file `{path}` can be read by others (mode {mode:o}). Set it to 600 and replace the key")]
    Exposed { path: String, mode: u32 },
    #[error("key file `{path}` is not one line of 16 to 256 visible ASCII characters")]
    NotASharedKey { path: String },
    #[error("not a JWK set of Ed25519 keys: {reason}")]
    NotAKeySet { reason: String },
}

impl KeyError {
    pub fn code(&self) -> Code {
        match self {
            Self::File { .. } => Code::StorageFailed,
            Self::NotAKey { .. } | Self::NotASharedKey { .. } | Self::Exposed { .. } => Code::ConfigInvalid,
            Self::NotAKeySet { .. } => Code::InvalidValue,
        }
    }
}
