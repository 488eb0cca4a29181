//! The keys of one purpose: the one that signs, and those that signed before it and still verify.
//!
//! On the disk: `NAME.pem` signs, `NAME.retired.json` is a JWK set of the public halves of its predecessors. A rotation
//! changes the files; a node that runs takes the new key when it is told to read them again.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
};

use arc_swap::ArcSwap;

use super::{KeyError, PublicKey, PublicKeys, SigningKey};

/// Keys that a node signs with. Readers never wait for a rotation.
#[derive(Debug)]
pub struct KeyRing {
    /// None where the one key is in no file.
    file: Option<PathBuf>,
    held: ArcSwap<Held>,
}

#[derive(Debug)]
struct Held {
    signing: Arc<SigningKey>,
    retired: Vec<PublicKey>,
}

/// What a rotation did, by key id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rotated {
    pub from: String,
    pub to: String,
}

impl KeyRing {
    /// Read the keys, or make the first one.
    pub fn open(file: &Path) -> Result<Self, KeyError> {
        let signing = SigningKey::load_or_create(file)?;
        let held = Held { retired: retired(file, signing.kid())?, signing: Arc::new(signing) };
        Ok(Self { file: Some(file.to_owned()), held: ArcSwap::from_pointee(held) })
    }

    /// A ring of one key that is in no file, so that it never changes.
    pub fn of(signing: SigningKey) -> Self {
        let held = Held { signing: Arc::new(signing), retired: Vec::new() };
        Self { file: None, held: ArcSwap::from_pointee(held) }
    }

    /// The key that signs now.
    pub fn signing(&self) -> Arc<SigningKey> {
        Arc::clone(&self.held.load().signing)
    }

    /// The keys that verify: the one that signs first.
    pub fn public(&self) -> PublicKeys {
        let held = self.held.load();
        PublicKeys::new([held.signing.public()].into_iter().chain(held.retired.iter().cloned()))
    }

    /// What the files hold now, without using it yet: what verifies with the ring takes the new key first.
    pub fn read_again(&self) -> Result<Self, KeyError> {
        let held = match &self.file {
            Some(file) => {
                let signing = SigningKey::load(file)?;
                Arc::new(Held { retired: retired(file, signing.kid())?, signing: Arc::new(signing) })
            }
            None => self.held.load_full(),
        };
        Ok(Self { file: self.file.clone(), held: ArcSwap::new(held) })
    }

    /// Sign with the keys of another reading of the same files from now on.
    pub fn take(&self, other: &Self) {
        self.held.store(other.held.load_full());
    }

    /// Put a new key into the place of the one that signs. The old one goes on verifying, unless it is `distrusted`.
    ///
    /// Whatever stops this half way, the file holds one whole key, and each key that a running node may sign with is
    /// listed.
    pub fn rotate(file: &Path, distrusted: bool) -> Result<Rotated, KeyError> {
        let old = SigningKey::load(file)?;
        let mut kept = retired(file, "")?;
        kept.retain(|key| key.kid() != old.kid());
        if !distrusted {
            kept.insert(0, old.public());
        }
        let list = retired_file(file);
        write_list(&list, &PublicKeys::new(kept)).map_err(|source| in_file(&list, source))?;
        let failed = |source| in_file(file, source);
        let new = SigningKey::generate().map_err(failed)?;
        let beside = file.with_extension("pem.next");
        match fs::remove_file(&beside) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(in_file(&beside, error)),
            _ => new.save(&beside)?,
        }
        fs::rename(&beside, file).map_err(failed)?;
        let folder = file.parent().unwrap_or(Path::new("."));
        fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
        Ok(Rotated { from: old.kid().to_owned(), to: new.kid().to_owned() })
    }
}

fn retired_file(file: &Path) -> PathBuf {
    file.with_extension("retired.json")
}

/// The list appears whole or not at all.
fn write_list(list: &Path, keys: &PublicKeys) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(list.parent().unwrap_or(Path::new(".")))?;
    writeln!(file, "{:#}", keys.jwks())?;
    file.as_file().sync_all()?;
    file.persist(list)?;
    Ok(())
}

/// The public keys that verify besides the one that signs; none where nothing was rotated yet.
fn retired(file: &Path, signing: &str) -> Result<Vec<PublicKey>, KeyError> {
    let list = retired_file(file);
    let text = match fs::read_to_string(&list) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(in_file(&list, error)),
    };
    let keys = PublicKeys::from_document(&text)?;
    Ok(keys.iter().filter(|key| key.kid() != signing).cloned().collect())
}

fn in_file(file: &Path, source: io::Error) -> KeyError {
    KeyError::File { path: file.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rotation_is_taken_when_the_ring_is_told_and_the_old_key_goes_on_verifying() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("receipt.pem");
        let ring = KeyRing::open(&file).unwrap();
        let first = ring.signing();
        let rotated = KeyRing::rotate(&file, false).unwrap();
        assert_eq!((rotated.from.as_str(), ring.signing().kid()), (first.kid(), first.kid()));

        ring.take(&ring.read_again().unwrap());
        assert_eq!(ring.signing().kid(), rotated.to);
        let signature = first.sign(b"before");
        assert!(ring.public().find(first.kid()).unwrap().verify(b"before", &signature));
        let kids: Vec<_> = KeyRing::open(&file).unwrap().public().iter().map(|key| key.kid().to_owned()).collect();
        assert_eq!(kids, [rotated.to, rotated.from]);
    }

    #[test]
    fn a_key_that_is_distrusted_verifies_no_longer_and_older_ones_still_do() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("token.pem");
        let first = KeyRing::open(&file).unwrap().signing().kid().to_owned();
        let second = KeyRing::rotate(&file, false).unwrap().to;
        let third = KeyRing::rotate(&file, true).unwrap().to;
        let public = KeyRing::open(&file).unwrap().public();
        assert!(public.find(&first).is_some() && public.find(&third).is_some());
        assert!(public.find(&second).is_none());
    }

    #[test]
    fn a_damaged_list_is_told_and_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("receipt.pem");
        let ring = KeyRing::open(&file).unwrap();
        fs::write(retired_file(&file), "{").unwrap();
        assert!(matches!(ring.read_again(), Err(KeyError::NotAKeySet { .. })));
        assert!(matches!(KeyRing::rotate(&file, false), Err(KeyError::NotAKeySet { .. })));
        assert_eq!(SigningKey::load(&file).unwrap().kid(), ring.signing().kid());
    }
}
