//! What all identifiers share: how outside text is folded before it is read.

use unicode_normalization::UnicodeNormalization;

/// Outer blanks gone, full-width forms narrow (NFKC), letters upper case. ASCII text without lower case is not copied.
pub(super) fn folded(text: &str) -> std::borrow::Cow<'_, str> {
    let trimmed = text.trim();
    if trimmed.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_lowercase()) {
        return trimmed.into();
    }
    trimmed.nfkc().collect::<String>().trim().to_uppercase().into()
}

/// Serialise as text, read back through `FromStr`.
macro_rules! serde_as_text {
    ($name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(super) use serde_as_text;

/// A fixed-length ASCII array as text.
pub(super) fn ascii(bytes: &[u8]) -> &str {
    // INVARIANT: every identifier's constructor checks that its bytes are ASCII.
    std::str::from_utf8(bytes).unwrap_or_default()
}
