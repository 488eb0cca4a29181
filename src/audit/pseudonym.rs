//! Names for subjects that only the node can give again.
//!
//! Pure. A plain hash of a resident ID is undone in minutes, because there are fewer than 2^38 possible ones; so the hash
//! is keyed (HMAC-SHA-256, RFC 2104) with a secret that never leaves the node. The key's id stands before the hash: after
//! a change of the secret, old records can still be told apart from new ones.

use std::fmt;

use aws_lc_rs::hmac::{Context, HMAC_SHA256, Key};

/// Makes pseudonyms under one secret.
pub struct Pseudonymiser {
    key: Key,
    key_id: String,
}

impl Pseudonymiser {
    /// `secret` is at least 32 random bytes; `key_id` names it in the records.
    pub fn new(secret: &[u8], key_id: impl Into<String>) -> Self {
        Self { key: Key::new(HMAC_SHA256, secret), key_id: key_id.into() }
    }

    /// The pseudonym of `text` as a value of `kind` (a field name): `<key id>:<64 hexadecimal digits>`.
    ///
    /// The same text under another kind has another pseudonym: a number that is both somebody's resident ID and
    /// somebody else's account must not join the two.
    pub fn pseudonym(&self, kind: &str, text: &str) -> String {
        let mut context = Context::with_key(&self.key);
        context.update(&(kind.len() as u64).to_le_bytes()); // So that no kind and text run into others.
        context.update(kind.as_bytes());
        context.update(text.as_bytes());
        format!("{}:{}", self.key_id, hex::encode(context.sign()))
    }
}

impl fmt::Debug for Pseudonymiser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pseudonymiser({}, [secret])", self.key_id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pseudonym_depends_on_secret_kind_and_text_and_on_nothing_else() {
        let names = Pseudonymiser::new(&[1; 32], "p1");
        let subject = "440100188912310015";
        let name = names.pseudonym("resident_id", subject);
        assert_eq!(name, Pseudonymiser::new(&[1; 32], "p1").pseudonym("resident_id", subject));
        let others = [
            Pseudonymiser::new(&[2; 32], "p1").pseudonym("resident_id", subject),
            names.pseudonym("holder_id", subject),
            names.pseudonym("resident_id", "440100188912310016"),
            names.pseudonym("resident_id4", &subject[1..]),
        ];
        assert!(others.iter().all(|other| *other != name), "{others:?}");
    }

    #[test]
    fn neither_name_nor_debug_print_gives_anything_away() {
        let names = Pseudonymiser::new(b"0123456789abcdef0123456789abcdef", "p1");
        let name = names.pseudonym("resident_id", "440100188912310015");
        assert!(name.starts_with("p1:") && name.len() == 3 + 64, "{name}");
        assert!(!name.contains("440100188912310015"));
        assert!(!format!("{names:?}").contains("0123456789abcdef"));
    }
}
