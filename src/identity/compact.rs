//! A compact JWS (RFC 7515) taken apart, strictly.
//!
//! What passes has one spelling: three parts, canonical base64url, JSON objects that name nothing twice (RFC 7519
//! section 4 leaves that to the reader; two readers that choose differently are a hole). A header that brings its own
//! key or names critical extensions is refused here, before anything is verified.

use std::fmt;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Deserializer, de};
use serde_json::{Map, Value};

use super::{
    Refusal,
    error::shown,
    jwks::{Algorithm, VerifyingKey},
    rules::{JTI_CHARS_MAX, TOKEN_BYTES_MAX},
};

/// Header members by which a token would choose its own key (RFC 7515 sections 4.1.2 to 4.1.6).
const EMBEDDED_KEYS: [&str; 4] = ["jwk", "jku", "x5u", "x5c"];

/// A JWS whose parts are well formed. Nothing of it is true before [`Compact::verify`] has passed.
#[derive(Debug)]
pub(super) struct Compact<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) kid: Option<String>,
    /// `typ` in lower case, without `application/` (RFC 7515 section 4.1.9).
    pub(super) typ: Option<String>,
    pub(super) claims: Claims,
    signed: &'a str,
    signature: &'a str,
}

impl<'a> Compact<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, Refusal> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(Refusal::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Refusal::NotCompact)?;
        let (header, payload) = signed.split_once('.').ok_or(Refusal::NotCompact)?;
        if payload.contains('.') {
            return Err(Refusal::NotCompact);
        }
        let header = Header(object("header", &decode("header", header)?)?);
        let claims = Claims(object("payload", &decode("payload", payload)?)?);
        decode("signature", signature)?;
        header.check_extensions()?;
        Ok(Self {
            algorithm: header.algorithm()?,
            kid: header.text("kid")?.map(str::to_owned),
            typ: header.typ()?,
            claims,
            signed,
            signature,
        })
    }

    /// Refuse a JWS of another kind, so that no receipt, assertion or token passes for another (RFC 8725 section 3.11).
    /// The first of `accepted` is what the message names.
    pub(super) fn expect_type(&self, accepted: &[&'static str], absent_is_fine: bool) -> Result<(), Refusal> {
        let fine = match &self.typ {
            Some(typ) => accepted.contains(&typ.as_str()),
            None => absent_is_fine,
        };
        let refusal = || Refusal::Type { found: self.typ.as_deref().map(shown), expected: accepted[0] };
        if fine { Ok(()) } else { Err(refusal()) }
    }

    /// Did the holder of that key sign it, with that key's algorithm?
    pub(super) fn verify(&self, key: &VerifyingKey) -> Result<(), Refusal> {
        if self.algorithm != key.algorithm() {
            return Err(Refusal::KeyAlgorithm { found: self.algorithm, expected: key.algorithm() });
        }
        if key.verifies(self.signed.as_bytes(), self.signature) { Ok(()) } else { Err(Refusal::Signature) }
    }
}

/// The engine refuses padding, strange characters and leftover bits, so each value has one spelling.
fn decode(part: &'static str, text: &str) -> Result<Vec<u8>, Refusal> {
    BASE64URL.decode(text).map_err(|_| Refusal::NotBase64 { part })
}

fn object(part: &'static str, bytes: &[u8]) -> Result<Map<String, Value>, Refusal> {
    let Members(members) = serde_json::from_slice(bytes).map_err(|_| Refusal::NotJson { part })?;
    let mut object = Map::new();
    for (name, value) in members {
        if object.contains_key(&name) {
            return Err(Refusal::Duplicate { part, member: shown(&name) });
        }
        object.insert(name, value);
    }
    Ok(object)
}

/// The members of a JSON object as they stand there, doubles included.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> de::Visitor<'de> for Reader {
            type Value = Members;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Reader)
    }
}

struct Header(Map<String, Value>);

impl Header {
    fn text(&self, member: &'static str) -> Result<Option<&str>, Refusal> {
        match self.0.get(member) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Refusal::HeaderShape { member }),
        }
    }

    fn check_extensions(&self) -> Result<(), Refusal> {
        // `b64` changes what is signed (RFC 7797) and is only allowed as critical.
        if self.0.contains_key("crit") || self.0.contains_key("b64") {
            return Err(Refusal::Critical);
        }
        match EMBEDDED_KEYS.into_iter().find(|member| self.0.contains_key(*member)) {
            Some(member) => Err(Refusal::EmbeddedKey { member }),
            None => Ok(()),
        }
    }

    fn algorithm(&self) -> Result<Algorithm, Refusal> {
        let name = self.text("alg")?;
        name.and_then(Algorithm::from_jose).ok_or_else(|| Refusal::Algorithm { found: name.map(shown) })
    }

    fn typ(&self) -> Result<Option<String>, Refusal> {
        let lower = self.text("typ")?.map(str::to_ascii_lowercase);
        Ok(lower.map(|typ| typ.strip_prefix("application/").unwrap_or(&typ).to_owned()))
    }
}

/// The claims of a JWT (RFC 7519 section 4.1), each read in one way.
#[derive(Debug)]
pub(super) struct Claims(Map<String, Value>);

impl Claims {
    pub(super) fn text(&self, claim: &'static str) -> Result<&str, Refusal> {
        match self.0.get(claim) {
            None => Err(Refusal::ClaimMissing { claim }),
            Some(Value::String(text)) if !text.is_empty() => Ok(text),
            Some(_) => Err(Refusal::ClaimShape { claim, expected: "a text" }),
        }
    }

    /// `jti`: what makes a token or an assertion this one.
    pub(super) fn id(&self) -> Result<&str, Refusal> {
        let id = self.text("jti")?;
        if id.chars().nth(JTI_CHARS_MAX).is_some() { Err(Refusal::IdTooLong) } else { Ok(id) }
    }

    fn time(&self, claim: &'static str) -> Result<DateTime<Utc>, Refusal> {
        self.optional_time(claim)?.ok_or(Refusal::ClaimMissing { claim })
    }

    /// A NumericDate, seconds since 1970, maybe with a fraction (RFC 7519 section 2); the fraction is dropped.
    fn optional_time(&self, claim: &'static str) -> Result<Option<DateTime<Utc>>, Refusal> {
        const SECONDS_MAX: f64 = 253_402_300_799.0; // the last second of the year 9999
        let Some(value) = self.0.get(claim) else { return Ok(None) };
        let refusal = Refusal::ClaimShape { claim, expected: "a time in seconds since 1970" };
        let seconds = value.as_f64().filter(|seconds| (0.0..=SECONDS_MAX).contains(seconds)).ok_or(refusal.clone())?;
        DateTime::from_timestamp(seconds as i64, 0).ok_or(refusal).map(Some)
    }

    /// It is meant for one of `accepted`, and for nobody else: a token that several servers take can be carried from
    /// one to the other by any of them.
    pub(super) fn expect_audience(&self, accepted: &[&str]) -> Result<(), Refusal> {
        let shape = || Refusal::ClaimShape { claim: "aud", expected: "a text or a list of one text" };
        let expected = || accepted[0].to_owned();
        let found = match self.0.get("aud") {
            None => return Err(Refusal::ClaimMissing { claim: "aud" }),
            Some(Value::String(found)) => found,
            Some(Value::Array(list)) => match list.as_slice() {
                [Value::String(found)] => found,
                [_] | [] => return Err(shape()),
                _ => return Err(Refusal::AudienceShared { expected: expected() }),
            },
            Some(_) => return Err(shape()),
        };
        if accepted.contains(&found.as_str()) {
            Ok(())
        } else {
            Err(Refusal::Audience { found: shown(found), expected: expected() })
        }
    }

    /// `exp` is there and ahead. Gives it back.
    pub(super) fn expect_unexpired(&self, now: DateTime<Utc>, skew: TimeDelta) -> Result<DateTime<Utc>, Refusal> {
        let at = self.time("exp")?;
        if now < at + skew { Ok(at) } else { Err(Refusal::Expired { at, now }) }
    }

    /// `iat` and `nbf`, where they are there, are not ahead.
    pub(super) fn expect_begun(&self, now: DateTime<Utc>, skew: TimeDelta) -> Result<(), Refusal> {
        for claim in ["iat", "nbf"] {
            if let Some(at) = self.optional_time(claim)?.filter(|at| *at > now + skew) {
                return Err(Refusal::Early { claim, at, now });
            }
        }
        Ok(())
    }

    pub(super) fn issued_at(&self) -> Result<DateTime<Utc>, Refusal> {
        self.time("iat")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compact(header: &str, payload: &str) -> String {
        format!("{}.{}.AAAA", BASE64URL.encode(header), BASE64URL.encode(payload))
    }

    fn claims(payload: &str) -> Claims {
        Claims(object("payload", payload.as_bytes()).unwrap())
    }

    #[test]
    fn a_type_is_read_without_case_and_prefix() {
        for typ in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"] {
            let text = compact(&format!(r#"{{"alg":"EdDSA","typ":"{typ}"}}"#), "{}");
            assert_eq!(Compact::read(&text).unwrap().expect_type(&["at+jwt"], false), Ok(()), "{typ}");
        }
        let text = compact(r#"{"alg":"EdDSA"}"#, "{}");
        let absent = Compact::read(&text).unwrap();
        assert_eq!(absent.expect_type(&["jwt"], true), Ok(()));
        assert_eq!(absent.expect_type(&["jwt"], false), Err(Refusal::Type { found: None, expected: "jwt" }));
    }

    #[test]
    fn a_time_is_read_in_one_way() {
        let shape = Err(Refusal::ClaimShape { claim: "exp", expected: "a time in seconds since 1970" });
        let at = |second| Ok(Some(DateTime::from_timestamp(second, 0).unwrap()));
        let cases = [
            (r#"{"exp":1764000000}"#, at(1_764_000_000)),
            (r#"{"exp":1764000000.9}"#, at(1_764_000_000)),
            (r#"{"exp":0}"#, at(0)),
            (r#"{}"#, Ok(None)),
            (r#"{"exp":-1}"#, shape.clone()),
            (r#"{"exp":"1764000000"}"#, shape.clone()),
            (r#"{"exp":null}"#, shape.clone()),
            (r#"{"exp":1e300}"#, shape.clone()),
            (r#"{"exp":253402300800}"#, shape.clone()),
            (r#"{"exp":18446744073709551615}"#, shape),
        ];
        for (payload, expect) in cases {
            assert_eq!(claims(payload).optional_time("exp"), expect, "{payload}");
        }
    }

    #[test]
    fn an_audience_is_one_and_known() {
        let shape = Err(Refusal::ClaimShape { claim: "aud", expected: "a text or a list of one text" });
        let cases = [
            (r#"{"aud":"a"}"#, Ok(())),
            (r#"{"aud":["b"]}"#, Ok(())),
            (r#"{"aud":"c"}"#, Err(Refusal::Audience { found: "c".to_owned(), expected: "a".to_owned() })),
            (r#"{"aud":["a","c"]}"#, Err(Refusal::AudienceShared { expected: "a".to_owned() })),
            (r#"{"aud":["a","a"]}"#, Err(Refusal::AudienceShared { expected: "a".to_owned() })),
            (r#"{"aud":[]}"#, shape.clone()),
            (r#"{"aud":[1]}"#, shape.clone()),
            (r#"{"aud":{"a":"a"}}"#, shape),
            (r#"{}"#, Err(Refusal::ClaimMissing { claim: "aud" })),
        ];
        for (payload, expect) in cases {
            assert_eq!(claims(payload).expect_audience(&["a", "b"]), expect, "{payload}");
        }
    }
}
