//! Secrets of the node's own that are made at the first start and kept for ever.

use std::path::Path;

use aws_lc_rs::{digest, rand};

use super::NodeError;
use crate::{
    audit::Pseudonymiser,
    storage::{StorageError, write_whole},
};

const SECRET_BYTES: usize = 32;

/// The secret under which subjects are named in the log; made at the first start, kept for ever.
pub fn pseudonymiser(file: &Path) -> Result<Pseudonymiser, NodeError> {
    let secret = secret(file)?;
    let key_id = &hex::encode(digest::digest(&digest::SHA256, &secret))[..8];
    Ok(Pseudonymiser::new(&secret, key_id))
}

/// The secret in that file, or a new one.
pub(super) fn secret(file: &Path) -> Result<Vec<u8>, NodeError> {
    if !file.exists() {
        let mut secret = [0; SECRET_BYTES];
        rand::fill(&mut secret).map_err(|_| NodeError::Randomness)?;
        write_whole(file, hex::encode(secret).as_bytes())?;
    }
    let text = std::fs::read_to_string(file).map_err(StorageError::file(file, "read"))?;
    let secret = hex::decode(text.trim()).ok().filter(|secret| secret.len() == SECRET_BYTES);
    secret.ok_or_else(|| NodeError::Secret(file.to_owned()))
}
