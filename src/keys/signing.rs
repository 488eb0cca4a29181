//! A private key: made once, kept in a PKCS#8 file, named by its thumbprint.

use std::{
    fmt, fs,
    io::{self, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::Path,
};

use aws_lc_rs::{
    digest,
    signature::{Ed25519KeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};

use super::{KeyError, PublicKey};

const PEM_LABEL: &str = "PRIVATE KEY";
/// Only the owner reads a private key.
const MODE: u32 = 0o600;

/// An Ed25519 private key with its key id: the RFC 7638 thumbprint of its public half.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    kid: String,
}

impl SigningKey {
    /// A new key. Fails only where the system has no randomness.
    pub fn generate() -> io::Result<Self> {
        Ed25519KeyPair::generate().map(Self::from_pair).map_err(|_| io::Error::other("no randomness for a key"))
    }

    /// Read the key from its file, or make one and keep it there.
    pub fn load_or_create(path: &Path) -> Result<Self, KeyError> {
        match Self::load(path) {
            Err(KeyError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                let failed = |source| KeyError::File { path: path.display().to_string(), source };
                let key = Self::generate().map_err(failed)?;
                key.save(path)?;
                Ok(key)
            }
            other => other,
        }
    }

    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let name = || path.display().to_string();
        let text = fs::read_to_string(path).map_err(|source| KeyError::File { path: name(), source })?;
        let metadata = fs::metadata(path).map_err(|source| KeyError::File { path: name(), source })?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed { path: name(), mode });
        }
        Self::from_pem(&text).ok_or_else(|| KeyError::NotAKey { path: name() })
    }

    /// Keep the key in a file that did not exist, readable by its owner only. The file appears whole or not at all.
    pub fn save(&self, path: &Path) -> Result<(), KeyError> {
        let failed = |source| KeyError::File { path: path.display().to_string(), source };
        let document = self.pair.to_pkcs8v1().map_err(|_| failed(io::Error::other("the key has no PKCS#8 form")))?;
        let text = pem::encode(&pem::Pem::new(PEM_LABEL, document.as_ref()));
        let folder = path.parent().unwrap_or(Path::new("."));
        fs::create_dir_all(folder).map_err(failed)?;
        let temporary = path.with_extension("pem.new");
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(MODE)
            .open(&temporary)
            .map_err(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
        // A hard link refuses to replace: two first starts at once cannot overwrite each other's key.
        let linked = fs::hard_link(&temporary, path);
        fs::remove_file(&temporary).and(linked).map_err(failed)?;
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)
    }

    fn from_pem(text: &str) -> Option<Self> {
        let parsed = pem::parse(text).ok().filter(|block| block.tag() == PEM_LABEL)?;
        Ed25519KeyPair::from_pkcs8(parsed.contents()).ok().map(Self::from_pair)
    }

    fn from_pair(pair: Ed25519KeyPair) -> Self {
        let kid = thumbprint(pair.public_key().as_ref());
        Self { pair, kid }
    }

    pub fn kid(&self) -> &str {
        &self.kid
    }

    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(message).as_ref());
        signature
    }

    pub fn public(&self) -> PublicKey {
        PublicKey::from_bytes(self.kid.clone(), self.public_bytes())
    }

    pub fn public_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.pair.public_key().as_ref());
        bytes
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kid)
    }
}

/// RFC 7638, with the members that RFC 8037 section 2 names for this key type.
pub(super) fn thumbprint(public: &[u8]) -> String {
    let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, BASE64URL.encode(public));
    BASE64URL.encode(digest::digest(&digest::SHA256, canonical.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_from_its_file_with_the_same_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys/node.pem");
        let made = SigningKey::load_or_create(&path).unwrap();
        let read = SigningKey::load_or_create(&path).unwrap();
        assert_eq!(made.kid(), read.kid());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.pem");
        SigningKey::load_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(SigningKey::load(&path), Err(KeyError::Exposed { mode: 0o644, .. })));
    }

    #[test]
    fn a_file_that_is_no_key_is_left_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("node.pem");
        fs::write(&path, "not a key").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(SigningKey::load_or_create(&path), Err(KeyError::NotAKey { .. })));
        assert_eq!(fs::read_to_string(&path).unwrap(), "not a key");
    }

    /// RFC 8037, appendix A.3.
    #[test]
    fn the_thumbprint_is_the_one_of_the_standard() {
        let public = BASE64URL.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        assert_eq!(thumbprint(&public), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    }
}
