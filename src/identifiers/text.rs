//! What all identifiers share: how outside text is folded before it is read.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

/// Outer blanks gone, full-width forms narrow (NFKC), ASCII letters upper case. Text that is so already is not copied.
///
/// Other letters stay as they are, to be refused: Unicode's upper case of `ı` is `I`, and that of `ß` is `SS`.
pub(super) fn folded(text: &str) -> Cow<'_, str> {
    let trimmed = text.trim();
    if !trimmed.is_ascii() {
        return trimmed.nfkc().collect::<String>().trim().to_ascii_uppercase().into();
    }
    if trimmed.bytes().any(|byte| byte.is_ascii_lowercase()) {
        trimmed.to_ascii_uppercase().into()
    } else {
        trimmed.into()
    }
}

/// Serialise as text, read back through `FromStr`.
///
/// What is no string is refused in words of our own: serde's would repeat it, and a resident ID written without quotes
/// would stand in an error text.
macro_rules! serde_as_text {
    ($name:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)
                    .map_err(|_| serde::de::Error::custom("an identifier is expected, as a string in quotes"))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_folded_to_the_form_that_the_standards_print() {
        for (text, expect) in [
            ("11010519491231002X", "11010519491231002X"),
            (" 11010519491231002x\t", "11010519491231002X"),
            ("\u{3000}４４０１０６\u{3000}", "440106"),
            ("９１ｍａ", "91MA"),
            ("１．２．１５６", "1.2.156"),
            ("", ""),
            ("\u{3000}", ""),
        ] {
            assert_eq!(folded(text), expect, "{text}");
        }
        assert!(matches!(folded("440106"), Cow::Borrowed(_)));
    }

    #[test]
    fn a_letter_of_another_alphabet_never_becomes_one_of_ours() {
        for text in ["ı", "ß", "\u{131}\u{df}", "А", "Ο"] {
            assert!(!folded(text).is_ascii(), "{text}");
        }
    }
}
