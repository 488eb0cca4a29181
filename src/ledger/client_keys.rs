//! The public keys of a client.

use serde_json::Value;

use super::LedgerError;

/// Largest key set, in bytes of JSON, and the most keys in it: a few generations of a few key types.
const KEYS_BYTES_MAX: usize = 32 * 1024;
const KEYS_MAX: usize = 16;
/// Members of a JWK that only a private or a shared key has (RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1, RFC 8037).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The public keys of a client as a JWK set (RFC 7517).
///
/// Holds: JSON of at most 32 KiB with 1 to 16 keys, no private or shared key among them, every `kid` only once, and a
/// `kid` in every key where there are several. Which key types can be used is for `identity` to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKeys {
    json: String,
    kids: Vec<Option<String>>,
}

impl ClientKeys {
    /// Read a JWK set, or a single JWK.
    pub fn from_json(text: &str) -> Result<Self, LedgerError> {
        let bad = |reason: String| LedgerError::NotAKeySet { reason };
        if text.len() > KEYS_BYTES_MAX {
            return Err(bad(format!("it is longer than {KEYS_BYTES_MAX} bytes")));
        }
        let mut document: Value = serde_json::from_str(text).map_err(|_| bad("it is not JSON".to_owned()))?;
        let keys = match document.get_mut("keys").map(Value::take) {
            Some(Value::Array(keys)) => keys,
            Some(_) => return Err(bad("`keys` is not a list".to_owned())),
            None if document.get("kty").is_some() => vec![document],
            None => return Err(bad("it has neither `keys` nor `kty`".to_owned())),
        };
        if keys.is_empty() || keys.len() > KEYS_MAX {
            return Err(bad(format!("it has {} keys, a client has 1 to {KEYS_MAX}", keys.len())));
        }
        let kids =
            keys.iter().enumerate().map(|(position, key)| public_kid(position, key)).collect::<Result<Vec<_>, _>>()?;
        for (position, kid) in kids.iter().enumerate() {
            if kid.is_none() && kids.len() > 1 {
                return Err(bad(format!("key {position} lacks `kid`. Name each key where there are several")));
            }
            if kids[..position].contains(kid) {
                return Err(bad(format!("key {position} has the `kid` of another")));
            }
        }
        Ok(Self { json: serde_json::json!({ "keys": keys }).to_string(), kids })
    }

    /// The JWK set document.
    pub fn as_json(&self) -> &str {
        &self.json
    }

    /// The key ids, in the order of the set; a single key may have none.
    pub fn kids(&self) -> impl Iterator<Item = Option<&str>> {
        self.kids.iter().map(Option::as_deref)
    }
}

/// The `kid` of a JWK that is public.
fn public_kid(position: usize, key: &Value) -> Result<Option<String>, LedgerError> {
    let bad = |reason: &str| LedgerError::NotAKeySet { reason: format!("key {position} {reason}") };
    let members = key.as_object().ok_or_else(|| bad("is not an object"))?;
    if let Some(member) = PRIVATE_MEMBERS.into_iter().find(|member| members.contains_key(*member)) {
        return Err(LedgerError::PrivateKey { position, member });
    }
    if !members.get("kty").is_some_and(Value::is_string) {
        return Err(bad("lacks `kty`"));
    }
    match members.get("kid") {
        None => Ok(None),
        Some(Value::String(kid)) if !kid.is_empty() => Ok(Some(kid.clone())),
        Some(_) => Err(bad("has a `kid` that is no text")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_halves_and_shared_keys_are_refused_by_name() {
        for member in PRIVATE_MEMBERS {
            let text = format!(r#"{{"keys":[{{"kty":"OKP","kid":"a"}},{{"kty":"X","kid":"b","{member}":"secret"}}]}}"#);
            let error = ClientKeys::from_json(&text).unwrap_err();
            assert!(matches!(error, LedgerError::PrivateKey { position: 1, member: m } if m == member), "{error:?}");
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn a_key_set_that_cannot_be_told_apart_is_refused() {
        let many = (0..17).map(|n| format!(r#"{{"kty":"EC","kid":"{n}"}}"#)).collect::<Vec<_>>().join(",");
        let cases = [
            ("", "not JSON"),
            ("[]", "neither"),
            ("{}", "neither"),
            (r#"{"keys":{}}"#, "not a list"),
            (r#"{"keys":[]}"#, "0 keys"),
            (r#"{"keys":[1]}"#, "key 0 is not an object"),
            (r#"{"keys":[{"kid":"a"}]}"#, "key 0 lacks `kty`"),
            (r#"{"keys":[{"kty":"EC","kid":7}]}"#, "no text"),
            (r#"{"keys":[{"kty":"EC","kid":"a"},{"kty":"EC"}]}"#, "key 1 lacks `kid`"),
            (r#"{"keys":[{"kty":"EC","kid":"a"},{"kty":"EC","kid":"a"}]}"#, "`kid` of another"),
            (&format!(r#"{{"keys":[{many}]}}"#), "17 keys"),
            (&" ".repeat(KEYS_BYTES_MAX + 1), "longer than"),
        ];
        for (text, reason) in cases {
            let error = ClientKeys::from_json(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
