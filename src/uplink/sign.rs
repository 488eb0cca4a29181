//! How a request is signed: the two manners, and what ours adds beside them. Pure.
//!
//! National: `gjgxjhpt_sign` = Base64(HMAC-SHA-256(key, sid + rid + rtime)), `rtime` in milliseconds. Provincial gateway
//! (TIF): `x-tif-signature` = upper-case hexadecimal of SHA-256(timestamp + token + nonce + timestamp), in seconds. Neither
//! covers the body, and the second not even the service. So beside them stand a digest of the body (RFC 9530) and an HMAC
//! over all of it, under the same key.

use aws_lc_rs::{constant_time::verify_slices_are_equal, digest, hmac};
use base64::{Engine, engine::general_purpose::STANDARD as BASE64};
use chrono::{DateTime, TimeDelta, Utc};

use super::{Manner, proof::Unproven};

pub const RID: &str = "gjgxjhpt_rid";
pub const SID: &str = "gjgxjhpt_sid";
pub const RTIME: &str = "gjgxjhpt_rtime";
pub const SIGN: &str = "gjgxjhpt_sign";
pub const PAASID: &str = "x-tif-paasid";
pub const TIMESTAMP: &str = "x-tif-timestamp";
pub const NONCE: &str = "x-tif-nonce";
pub const SIGNATURE: &str = "x-tif-signature";
/// RFC 9530.
pub const CONTENT_DIGEST: &str = "content-digest";
pub const BODY_SIGNATURE: &str = "x-shuqiao-signature";

/// First line of what [`Tuple::body_signature`] signs: no text of the other schemes begins so, whatever the key signs.
const BODY_SIGNATURE_LABEL: &str = "shuqiao-uplink-v1";
const ID_CHARS_MAX: usize = 128;

/// What a signature is about: who asks what, and when.
///
/// Holds: each part is 1 to 128 ASCII letters, digits or `-_.@`, and the time is written in its unit. Without more than
/// that, nobody can move a character from one part to its neighbour, or lengthen what TIF hashes (the padding of SHA-256
/// would have to stand in the nonce).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tuple<'a> {
    National { sid: &'a str, rid: &'a str, rtime: &'a str },
    Tif { service: &'a str, paasid: &'a str, timestamp: &'a str, nonce: &'a str },
}

impl<'a> Tuple<'a> {
    /// Refuses what cannot be such a tuple, by the name of the header.
    pub fn check(&self) -> Result<(), Unproven> {
        let part = |name, text: &str| {
            let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
            let good = (1..=ID_CHARS_MAX).contains(&text.len()) && text.bytes().all(fits);
            let expected = "1 to 128 ASCII letters, digits or `-_.@`";
            if good { Ok(()) } else { Err(Unproven::HeaderShape { name, expected }) }
        };
        match self {
            Self::National { sid, rid, .. } => {
                part(SID, sid)?;
                part(RID, rid)?;
            }
            Self::Tif { service, paasid, nonce, .. } => {
                part("the path", service)?;
                part(PAASID, paasid)?;
                part(NONCE, nonce)?;
            }
        }
        self.time().map(|_| ())
    }

    pub fn manner(&self) -> Manner {
        match self {
            Self::National { .. } => Manner::National,
            Self::Tif { .. } => Manner::Tif,
        }
    }

    /// The number that the platform has given to whoever asks.
    pub fn caller(&self) -> &'a str {
        match self {
            Self::National { rid, .. } => rid,
            Self::Tif { paasid, .. } => paasid,
        }
    }

    pub fn service(&self) -> &'a str {
        match self {
            Self::National { sid, .. } => sid,
            Self::Tif { service, .. } => service,
        }
    }

    /// When it was signed: the last moment that the header can mean. The two platforms count in different units, and who
    /// confuses them is told so.
    pub fn time(&self) -> Result<DateTime<Utc>, Unproven> {
        let (name, text, digits, expected) = match self {
            Self::National { rtime, .. } => (RTIME, *rtime, 13, "milliseconds since 1970: 13 digits"),
            Self::Tif { timestamp, .. } => (TIMESTAMP, *timestamp, 10, "seconds since 1970: 10 digits"),
        };
        let shape = || Unproven::HeaderShape { name, expected };
        if text.len() != digits || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(shape());
        }
        let number = text.parse::<i64>().map_err(|_| shape())?;
        let time = match self.manner() {
            Manner::National => DateTime::from_timestamp_millis(number),
            Manner::Tif => DateTime::from_timestamp(number, 0).map(|time| time + TimeDelta::milliseconds(999)),
        };
        time.ok_or_else(shape)
    }

    /// The platform's signature.
    pub fn sign(&self, key: &[u8]) -> String {
        match self {
            Self::National { sid, rid, rtime } => BASE64.encode(hmac(key, &[sid, rid, rtime])),
            Self::Tif { timestamp, nonce, .. } => hex::encode_upper(tif(key, timestamp, nonce)),
        }
    }

    /// Is that the platform's signature? The time it takes does not tell how much of it is right.
    pub fn is_signed(&self, key: &[u8], signature: &str) -> bool {
        verify_slices_are_equal(self.sign(key).as_bytes(), signature.as_bytes()).is_ok()
    }

    /// Ours, over the tuple with the service and over the body's digest as the header has it.
    pub fn body_signature(&self, key: &[u8], content_digest: &str) -> String {
        let (manner, service, caller) = (self.manner().as_str(), self.service(), self.caller());
        let lines = match self {
            Self::National { rtime, .. } => vec![manner, service, caller, rtime, content_digest],
            Self::Tif { timestamp, nonce, .. } => vec![manner, service, caller, timestamp, nonce, content_digest],
        };
        let text = lines.iter().fold(BODY_SIGNATURE_LABEL.to_owned(), |text, line| text + "\n" + line);
        BASE64.encode(hmac(key, &[&text]))
    }

    pub fn is_body_signed(&self, key: &[u8], content_digest: &str, signature: &str) -> bool {
        verify_slices_are_equal(self.body_signature(key, content_digest).as_bytes(), signature.as_bytes()).is_ok()
    }

    /// A name for what must not be answered twice: the whole tuple with the service, and the body where it counts.
    pub(super) fn name(&self, body_sha256: Option<&[u8; 32]>) -> [u8; 32] {
        let mut hash = digest::Context::new(&digest::SHA256);
        let parts = match self {
            // TIF signs no service: where a signature is good once, it is good once at all of them.
            Self::Tif { paasid, timestamp, nonce, .. } if body_sha256.is_none() => vec![*paasid, timestamp, nonce],
            Self::Tif { service, paasid, timestamp, nonce } => vec![*paasid, timestamp, nonce, service],
            Self::National { sid, rid, rtime } => vec![*rid, rtime, sid],
        };
        for part in parts {
            hash.update(part.as_bytes());
            hash.update(b"\n");
        }
        hash.update(body_sha256.map_or(&[][..], <[u8; 32]>::as_slice));
        let mut name = [0; 32];
        name.copy_from_slice(hash.finish().as_ref());
        name
    }
}

fn hmac(key: &[u8], parts: &[&str]) -> hmac::Tag {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, key));
    for part in parts {
        context.update(part.as_bytes());
    }
    context.sign()
}

fn tif(token: &[u8], timestamp: &str, nonce: &str) -> digest::Digest {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in [timestamp.as_bytes(), token, nonce.as_bytes(), timestamp.as_bytes()] {
        context.update(part);
    }
    context.finish()
}

/// `content-digest` of a body (RFC 9530 section 2), from its SHA-256.
pub fn content_digest(sha256: &[u8; 32]) -> String {
    format!("sha-256=:{}:", BASE64.encode(sha256))
}

/// Does the header state that digest? It may name other algorithms beside it, which are passed over.
pub(super) fn states_digest(header: &str, sha256: &[u8; 32]) -> Result<bool, Unproven> {
    let stated = header.split(',').find_map(|member| member.trim().strip_prefix("sha-256=:")?.strip_suffix(':'));
    let stated = stated.and_then(|text| BASE64.decode(text).ok()).filter(|bytes| bytes.len() == sha256.len());
    match stated {
        Some(bytes) => Ok(verify_slices_are_equal(&bytes, sha256).is_ok()),
        None => Err(Unproven::HeaderShape { name: CONTENT_DIGEST, expected: "`sha-256=:BASE64:` (RFC 9530)" }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NATIONAL_KEY: &[u8] = b"0123456789abcdef0123456789abcdef";
    const TIF_TOKEN: &[u8] = b"TESTTOKEN0123456789ABCDEFGHIJKLM";

    fn national() -> Tuple<'static> {
        Tuple::National {
            sid: "s_9900000000000_0001",
            rid: "00000000-0000-4000-8000-000000000000@test-001",
            rtime: "1755763200000",
        }
    }

    fn tif() -> Tuple<'static> {
        Tuple::Tif { service: "person", paasid: "app-1", timestamp: "1755763200", nonce: "123456789abcdefg" }
    }

    /// Vectors of the domain notes, sections 5.1 and 5.2.
    #[test]
    fn the_vectors_of_both_platforms() {
        assert_eq!(national().sign(NATIONAL_KEY), "9On7tqO1XirFExTL3SJLPHdFMwGh5mMg+bxxUDoAAVM=");
        assert_eq!(tif().sign(TIF_TOKEN), "D9C3358B8CCE72E91CBC850D3D523DEA9C0B28E8EB8070E455B06A11F92739C3");
        for (tuple, key) in [(national(), NATIONAL_KEY), (tif(), TIF_TOKEN)] {
            tuple.check().unwrap();
            let signature = tuple.sign(key);
            assert!(tuple.is_signed(key, &signature));
            assert!(!tuple.is_signed(b"another key, as long as that one", &signature));
            for other in ["", &signature[1..], &signature.to_lowercase(), &format!("{signature} ")] {
                assert!(!tuple.is_signed(key, other), "{other}");
            }
        }
    }

    #[test]
    fn one_platform_counts_milliseconds_and_the_other_seconds() {
        let at: DateTime<Utc> = "2025-08-21T08:00:00Z".parse().unwrap();
        assert_eq!(national().time().unwrap(), at);
        assert_eq!(tif().time().unwrap(), at + TimeDelta::milliseconds(999));
        for text in ["1755763200", "17557632000000", "175576320000x", "", "+755763200000"] {
            let Tuple::National { sid, rid, .. } = national() else { unreachable!() };
            let error = Tuple::National { sid, rid, rtime: text }.check().unwrap_err();
            assert!(error.to_string().contains(RTIME) && error.to_string().contains("milliseconds"), "{error}");
        }
        let error =
            Tuple::Tif { service: "s", paasid: "p", timestamp: "1755763200000", nonce: "n" }.check().unwrap_err();
        assert!(error.to_string().contains(TIMESTAMP) && error.to_string().contains("seconds"), "{error}");
    }

    /// SHA-256 without a key outside can be lengthened, but only with bytes that no nonce may have.
    #[test]
    fn a_nonce_has_no_room_for_the_padding_of_a_hash() {
        for nonce in ["", "a b", "a\u{80}", "a\0", "a\n", "数", &"n".repeat(129)] {
            let tuple = Tuple::Tif { service: "s", paasid: "p", timestamp: "1755763200", nonce };
            assert!(tuple.check().unwrap_err().to_string().contains(NONCE), "{nonce:?}");
        }
    }

    #[test]
    fn a_digest_is_read_as_the_standard_writes_it() {
        // RFC 9530 section 2 and appendix: the digest of `{"hello": "world"}` and a line feed.
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(digest::digest(&digest::SHA256, b"{\"hello\": \"world\"}\n").as_ref());
        let header = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:";
        assert_eq!(content_digest(&sha256), header);
        assert!(states_digest(header, &sha256).unwrap());
        assert!(states_digest(&format!("sha-512=:AAAA:, {header}"), &sha256).unwrap());
        assert!(!states_digest(header, &[0; 32]).unwrap());
        for text in ["", "sha-512=:AAAA:", "sha-256=RK/0", "sha-256=:AAAA:", "sha-256=:?:"] {
            assert!(matches!(states_digest(text, &sha256), Err(Unproven::HeaderShape { .. })), "{text}");
        }
    }

    #[test]
    fn our_signature_covers_service_caller_time_and_body() {
        let (digest, key) = (content_digest(&[1; 32]), TIF_TOKEN);
        let signature = tif().body_signature(key, &digest);
        assert!(tif().is_body_signed(key, &digest, &signature));
        assert!(!tif().is_body_signed(key, &content_digest(&[2; 32]), &signature));
        assert!(!national().is_body_signed(key, &digest, &signature));
        let Tuple::Tif { paasid, timestamp, nonce, .. } = tif() else { unreachable!() };
        let elsewhere = Tuple::Tif { service: "firm", paasid, timestamp, nonce };
        assert_eq!(elsewhere.sign(key), tif().sign(key), "the gateway's own signature does not name the service");
        assert!(!elsewhere.is_body_signed(key, &digest, &signature));
    }

    proptest! {
        #[test]
        fn tuples_that_differ_have_different_names(
            one in ("[a-b]{1,2}", "[a-b]{1,2}", "175576320[0-1]", "[a-b]{1,2}"),
            other in ("[a-b]{1,2}", "[a-b]{1,2}", "175576320[0-1]", "[a-b]{1,2}"),
        ) {
            fn tuple((service, paasid, timestamp, nonce): &(String, String, String, String)) -> Tuple<'_> {
                Tuple::Tif { service, paasid, timestamp, nonce }
            }
            let body = [7; 32];
            prop_assert_eq!(tuple(&one).name(Some(&body)) == tuple(&other).name(Some(&body)), one == other);
            prop_assert_ne!(tuple(&one).name(Some(&body)), tuple(&one).name(Some(&[8; 32])));
            prop_assert_eq!(
                tuple(&one).name(None) == tuple(&other).name(None),
                (&one.1, &one.2, &one.3) == (&other.1, &other.2, &other.3)
            );
        }
    }
}
