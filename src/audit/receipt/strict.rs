//! JSON of which there is one reading: no member twice, no number that loses digits.
//!
//! Where an object has a member twice, programs differ in which they take. The receipt would vouch for the last while
//! somebody reads the first; so such an answer is refused (RFC 7493 section 2.3, which RFC 8785 builds on).

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

use super::ReceiptError;

/// Largest whole number of which every smaller one is a double too: 2^53 − 1.
const EXACT_MAX: u64 = (1 << 53) - 1;

/// An answer as JSON, refused where a member stands twice.
pub fn parse_answer(text: &[u8]) -> Result<Value, ReceiptError> {
    let Strict(value) =
        serde_json::from_slice(text).map_err(|error| ReceiptError::Answer { reason: error.to_string() })?;
    Ok(value)
}

/// Can RFC 8785 write every number without loss?
pub(super) fn has_exact_numbers(value: &Value) -> bool {
    match value {
        Value::Number(number) => is_exact(number),
        Value::Array(values) => values.iter().all(has_exact_numbers),
        Value::Object(members) => members.values().all(has_exact_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

fn is_exact(number: &Number) -> bool {
    match (number.as_u64(), number.as_i64(), number.as_f64()) {
        (Some(number), _, _) => number <= EXACT_MAX,
        (None, Some(number), _) => number.unsigned_abs() <= EXACT_MAX,
        (None, None, Some(number)) => number.abs() <= EXACT_MAX as f64,
        (None, None, None) => false,
    }
}

struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("a number is not finite"))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: de::Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(Strict(value)) = seq.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(name) = map.next_key::<String>()? {
            let Strict(value) = map.next_value()?;
            if members.insert(name, value).is_some() {
                return Err(de::Error::custom("a member stands twice"));
            }
        }
        Ok(Value::Object(members))
    }
}
