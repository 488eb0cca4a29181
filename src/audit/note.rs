//! Signed tree heads as text: C2SP tlog-checkpoint in a C2SP signed note, with Ed25519 (signature type 1). Pure.
//!
//! ```text
//! shuqiao/0193…-…          origin: `shuqiao/` and the log's id; the key name as well
//! 42                       records
//! CsUYapGG…=               root, base64
//!
//! — shuqiao/0193…-… Az3g…  base64 of key hash (4 bytes) and signature (64 bytes) over all above the empty line
//! ```

use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use uuid::Uuid;

use super::{digest::sha256, log::TreeHead};
use crate::keys::{PublicKeys, SigningKey};

const ORIGIN: &str = "shuqiao/";
/// Signature type of Ed25519 in a signed note.
const ED25519: u8 = 0x01;

/// A note that has the form of a signed head. Whether its signature holds is another question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note<'a> {
    pub(super) log: Uuid,
    pub(super) head: TreeHead,
    /// What is signed.
    text: &'a str,
    signatures: &'a str,
}

/// The head, signed.
pub(super) fn sign(log: Uuid, head: TreeHead, key: &SigningKey) -> String {
    let origin = format!("{ORIGIN}{log}");
    let text = format!("{origin}\n{}\n{}\n", head.size, BASE64.encode(head.root));
    let mut signature = key_hash(&origin, &key.public_bytes()).to_vec();
    signature.extend(key.sign(text.as_bytes()));
    format!("{text}\n\u{2014} {origin} {}\n", BASE64.encode(signature))
}

/// C2SP signed-note: the first four bytes of SHA-256(name || 0x0A || type || key).
fn key_hash(name: &str, key: &[u8; 32]) -> [u8; 4] {
    let hash = sha256(&[name.as_bytes(), &[b'\n', ED25519], key].concat()).0;
    [hash[0], hash[1], hash[2], hash[3]]
}

impl<'a> Note<'a> {
    pub(super) fn parse(note: &'a str) -> Result<Self, &'static str> {
        let (text, signatures) = match note.split_once("\n\n") {
            Some((text, signatures)) => (&note[..text.len() + 1], signatures),
            None => return Err("a checkpoint has an empty line before its signatures"),
        };
        let mut lines = text.lines();
        let (Some(origin), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err("a checkpoint has three lines: origin, size and root");
        };
        let log =
            origin.strip_prefix(ORIGIN).and_then(|id| Uuid::parse_str(id).ok()).ok_or("it is of no log of ours")?;
        let number = size.parse().map_err(|_| "its size is not a number")?;
        let root = BASE64.decode(root).ok().and_then(|root| root.try_into().ok()).ok_or("its root is not a hash")?;
        if u64::to_string(&number) != size {
            return Err("its size is not a number");
        }
        Ok(Self { log, head: TreeHead { size: number, root }, text, signatures })
    }

    /// The id of the key in the set that signed it. Signatures by other names or keys are passed over.
    pub(super) fn signer<'k>(&self, keys: &'k PublicKeys) -> Result<&'k str, &'static str> {
        let name = format!("{ORIGIN}{}", self.log);
        let by_name = |line: &str| {
            let (signer, signature) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
            BASE64.decode(signature).ok().filter(|bytes| signer == name && bytes.len() == 68)
        };
        let mut known = false;
        for bytes in self.signatures.lines().filter_map(by_name) {
            let (hash, signature) = bytes.split_at(4);
            for key in keys.iter().filter(|key| key_hash(&name, key.bytes()) == hash) {
                known = true;
                if key.verify(self.text.as_bytes(), signature) {
                    return Ok(key.kid());
                }
            }
        }
        Err(if known { "its signature does not verify" } else { "no key of the set has signed it" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: TreeHead = TreeHead { size: 42, root: [7; 32] };

    #[test]
    fn a_note_says_what_was_signed_and_by_whom() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let text = sign(Uuid::from_u128(1), HEAD, &key);
        let note = Note::parse(&text).unwrap();
        assert_eq!((note.log, note.head), (Uuid::from_u128(1), HEAD));
        let keys = PublicKeys::new([other.public(), key.public()]);
        assert_eq!(note.signer(&keys), Ok(key.kid()));
        assert_eq!(note.signer(&PublicKeys::new([other.public()])), Err("no key of the set has signed it"));
        // A witness may add a line of its own.
        let witnessed = format!("{text}\u{2014} witness.example AAAA\n");
        assert_eq!(Note::parse(&witnessed).unwrap().signer(&keys), Ok(key.kid()));
    }

    #[test]
    fn the_form_is_the_one_of_the_standard() {
        let key = SigningKey::generate().unwrap();
        let text = sign(Uuid::from_u128(1), HEAD, &key);
        let lines: Vec<_> = text.split('\n').collect();
        let origin = "shuqiao/00000000-0000-0000-0000-000000000001";
        assert_eq!(&lines[..4], [origin, "42", "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=", ""]);
        assert!(lines[4].starts_with(&format!("— {origin} ")));
        assert_eq!(&lines[5..], [""]);
    }

    #[test]
    fn every_changed_bit_is_noticed() {
        let key = SigningKey::generate().unwrap();
        let keys = PublicKeys::new([key.public()]);
        let text = sign(Uuid::from_u128(1), HEAD, &key);
        for bit in 0..(text.len() - 1) * 8 {
            let mut bytes = text.clone().into_bytes();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let Ok(changed) = String::from_utf8(bytes) else { continue };
            assert!(
                Note::parse(&changed).and_then(|note| note.signer(&keys).map(drop)).is_err(),
                "bit {bit}: {changed}"
            );
        }
    }
}
