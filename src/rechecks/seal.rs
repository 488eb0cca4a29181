//! What is kept of a re-check is sealed: AES-256-GCM under a secret of the node's own, with the re-check's id and the part
//! bound in, so that neither can take the place of another.

use std::{fmt, fs, path::Path};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    digest, rand,
};

use super::RechecksError;
use crate::{
    identifiers::RecheckId,
    storage::{StorageError, write_whole},
};

const SECRET_BYTES: usize = 32;

/// Which part of a re-check is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The body of the call.
    Body,
    /// What a try was told.
    Said,
}

impl Part {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Said => "said",
        }
    }
}

/// Seals and opens. Never prints what it seals with.
pub struct Sealer {
    key: RandomizedNonceKey,
    name: String,
}

impl Sealer {
    /// Read the secret, or make the first one. Replicas that share a ledger and not the secret leave each other's alone.
    pub fn open(file: &Path) -> Result<Self, RechecksError> {
        if !file.exists() {
            let mut secret = [0; SECRET_BYTES];
            rand::fill(&mut secret).map_err(|_| RechecksError::Randomness)?;
            write_whole(file, hex::encode(secret).as_bytes())?;
        }
        let text = fs::read_to_string(file).map_err(StorageError::file(file, "read"))?;
        let secret = hex::decode(text.trim()).ok().filter(|secret| secret.len() == SECRET_BYTES);
        secret.and_then(|secret| Self::of(&secret)).ok_or_else(|| RechecksError::Secret(file.to_owned()))
    }

    fn of(secret: &[u8]) -> Option<Self> {
        let key = RandomizedNonceKey::new(&AES_256_GCM, secret).ok()?;
        let mut name = hex::encode(digest::digest(&digest::SHA256, secret));
        name.truncate(8);
        Some(Self { key, name })
    }

    /// Names the secret, and tells nothing of it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The nonce, the sealed bytes, the tag.
    pub fn seal(&self, id: &RecheckId, part: Part, open: &[u8]) -> Result<Vec<u8>, RechecksError> {
        let mut sealed = open.to_vec();
        let nonce = self.key.seal_in_place_append_tag(bound(id, part), &mut sealed);
        let nonce = nonce.map_err(|_| RechecksError::Randomness)?;
        Ok([nonce.as_ref().as_slice(), &sealed].concat())
    }

    /// What was sealed as that part of that re-check, and nothing else.
    pub fn unseal(&self, id: &RecheckId, part: Part, sealed: &[u8]) -> Result<Vec<u8>, RechecksError> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(RechecksError::Sealed)?;
        let mut bytes = sealed.to_vec();
        let open = self.key.open_in_place(Nonce::assume_unique_for_key(*nonce), bound(id, part), &mut bytes);
        let length = open.map_err(|_| RechecksError::Sealed)?.len();
        bytes.truncate(length);
        Ok(bytes)
    }
}

fn bound(id: &RecheckId, part: Part) -> Aad<String> {
    Aad::from(format!("shuqiao-recheck {id} {}", part.as_str()))
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({})", self.name)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_is_sealed_opens_in_its_place_only_and_never_twice_the_same() {
        let (sealer, other) = (Sealer::of(&[1; 32]).unwrap(), Sealer::of(&[2; 32]).unwrap());
        let id = RecheckId::new(Uuid::from_u128(1));
        let sealed = sealer.seal(&id, Part::Body, "张三".as_bytes()).unwrap();
        assert_eq!(sealer.unseal(&id, Part::Body, &sealed).unwrap(), "张三".as_bytes());
        assert_ne!(sealer.seal(&id, Part::Body, "张三".as_bytes()).unwrap(), sealed);
        assert!(sealer.unseal(&id, Part::Said, &sealed).is_err(), "another part");
        assert!(sealer.unseal(&RecheckId::new(Uuid::from_u128(2)), Part::Body, &sealed).is_err(), "another re-check");
        assert!(other.unseal(&id, Part::Body, &sealed).is_err(), "another secret");
        for position in 0..sealed.len() * 8 {
            let mut changed = sealed.clone();
            changed[position / 8] ^= 1 << (position % 8);
            assert!(sealer.unseal(&id, Part::Body, &changed).is_err(), "bit {position}");
        }
        for length in 0..sealed.len() {
            assert!(sealer.unseal(&id, Part::Body, &sealed[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn the_secret_is_made_once_and_its_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("keys/recheck.secret");
        let made = Sealer::open(&file).unwrap();
        assert_eq!(Sealer::open(&file).unwrap().name(), made.name());
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        let secret = fs::read_to_string(&file).unwrap();
        assert!(!format!("{made:?}").contains(&secret[..8]));
        fs::write(&file, &secret[1..]).unwrap();
        let error = Sealer::open(&file).unwrap_err();
        assert!(matches!(error, RechecksError::Secret(_)) && !error.to_string().contains(&secret[1..]), "{error}");
    }
}
