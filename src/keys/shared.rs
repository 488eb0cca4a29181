//! A key that two sides share: the manner of platforms that sign with HMAC.
//!
//! It proves nothing to a third party, so nothing of the node's own is signed with one. It comes from a file that only its
//! owner reads, and never prints itself.

use std::{fmt, fs, os::unix::fs::PermissionsExt, path::Path};

use super::KeyError;

/// Fewest characters: below, a key can be guessed from one signed request.
const CHARS_MIN: usize = 16;
const CHARS_MAX: usize = 256;

/// A key that was agreed upon with another platform.
///
/// Holds: 16 to 256 visible ASCII characters, used as the bytes that they are.
#[derive(Clone)]
pub struct SharedKey(Box<str>);

impl SharedKey {
    /// Read the key from its file: one line, the line's end is no part of it.
    pub fn load(path: &Path) -> Result<Self, KeyError> {
        let name = || path.display().to_string();
        let metadata = fs::metadata(path).map_err(|source| KeyError::File { path: name(), source })?;
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeyError::Exposed { path: name(), mode });
        }
        let text = fs::read_to_string(path).map_err(|source| KeyError::File { path: name(), source })?;
        Self::from_text(text.trim_end_matches(['\r', '\n'])).ok_or_else(|| KeyError::NotASharedKey { path: name() })
    }

    /// Nothing, where the text cannot be such a key.
    pub fn from_text(text: &str) -> Option<Self> {
        let fits = (CHARS_MIN..=CHARS_MAX).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.into()))
    }

    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Debug for SharedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "0123456789abcdef0123456789abcdef";

    fn written(text: &str, mode: u32) -> Result<SharedKey, KeyError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.key");
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        SharedKey::load(&path)
    }

    #[test]
    fn a_key_is_one_line_that_only_its_owner_reads_and_never_prints_itself() {
        let key = written(&format!("{TEXT}\n"), 0o600).unwrap();
        assert_eq!(key.as_bytes(), TEXT.as_bytes());
        assert_eq!(format!("{key:?}"), "[secret]");
        assert!(matches!(written(TEXT, 0o640), Err(KeyError::Exposed { mode: 0o640, .. })));
        for text in [
            "",
            "too short",
            "0123456789abcdef 0123456789abcdef",
            "0123456789abcdef\n0123456789abcdef",
            "钥匙0123456789abcdef",
        ] {
            assert!(matches!(written(text, 0o600), Err(KeyError::NotASharedKey { .. })), "{text}");
        }
    }
}
