//! What handlers take from a request: the caller's token and the body as it was sent.

use std::{fmt, marker::PhantomData};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, header},
};
use chrono::{DateTime, SecondsFormat, Utc};
use futures::StreamExt;
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, MapAccess, Visitor, value::MapAccessDeserializer},
};

use crate::problem::{Code, Problem};

/// The bearer token, if the header has one (RFC 6750 section 2.1).
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_start())
}

/// A body that is too long is read on, and thrown away, up to this many times the limit: a sender that is still sending
/// when the connection closes never sees why.
const READ_ON_TIMES: usize = 16;

/// Read a body whole, within the node's limit, before the slow-sender deadline.
pub(super) async fn read(body: Body, bytes_max: usize) -> Result<Vec<u8>, Problem> {
    let mut arriving = body.into_data_stream();
    let (mut bytes, mut length) = (Vec::new(), 0_usize);
    while let Some(chunk) = arriving.next().await {
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(_) if length > bytes_max => break,
            Err(_) => {
                let problem = Problem::new(Code::MalformedBody, "the body broke off before its end");
                return Err(problem.remedy("Send it again, whole."));
            }
        };
        length = length.saturating_add(chunk.len());
        if length <= bytes_max {
            bytes.extend_from_slice(&chunk);
        } else if length > bytes_max.saturating_mul(READ_ON_TIMES) {
            break;
        }
    }
    if length > bytes_max {
        return Err(Problem::new(Code::BodyTooLarge, format!("the body is longer than {bytes_max} bytes"))
            .remedy("A question is a few hundred bytes; ask about one subject at a time."));
    }
    Ok(bytes)
}

/// A JSON body of the documented shape.
pub(super) fn json<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(Code::UnsupportedMediaType, format!("the content type is `{}`", printable(kind)))
            .remedy("Send `content-type: application/json`."));
    }
    parsed(bytes)
}

/// The same, where the content type is known.
pub(super) fn parsed<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let Object(body) = serde_json::from_slice(bytes).map_err(|error| {
        Problem::new(Code::MalformedBody, format!("the body is not of the documented shape: {}", without_value(&error)))
            .remedy("See /openapi.json for the shape.")
    })?;
    Ok(body)
}

/// The body of a request, whole and of the documented shape.
pub(super) async fn of<T: DeserializeOwned>(request: Request, bytes_max: usize) -> Result<T, Problem> {
    let (parts, body) = request.into_parts();
    json(&parts.headers, &read(body, bytes_max).await?)
}

/// How many elements of a list are answered at once.
pub(super) fn list_limit(asked: Option<u32>, usual: u32, most: u32) -> Result<u32, Problem> {
    let limit = asked.unwrap_or(usual);
    if (1..=most).contains(&limit) {
        return Ok(limit);
    }
    Err(Problem::new(Code::InvalidValue, format!("`limit` is {limit}")).remedy(format!("Ask for 1 to {most}.")))
}

/// The query string is not of the documented shape. What stands in it is not repeated.
pub(super) fn bad_query() -> Problem {
    Problem::new(Code::MalformedBody, "the query is not of the documented shape")
        .remedy("See /openapi.json for the parameters of this path.")
}

/// A time as every answer writes it.
pub(super) fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// What serde complains of, without the value that it found: that may be somebody's number or name.
fn without_value(error: &serde_json::Error) -> String {
    let said = error.to_string();
    match said.rsplit_once(", expected ") {
        Some((_, expected)) => format!("expected {}", printable(expected)),
        None => printable(&said),
    }
}

/// A JSON object. A derived reader also takes an array with the members in their order, which no document says.
struct Object<T>(T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        object(deserializer).map(Self)
    }
}

/// Read an object, and nothing else, as a `T`.
pub(super) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<T, D::Error> {
    struct OfMembers<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de>> Visitor<'de> for OfMembers<T> {
        type Value = T;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
            T::deserialize(MapAccessDeserializer::new(map))
        }
    }
    deserializer.deserialize_map(OfMembers(PhantomData))
}

/// Outside text fit for one line of an error: no control characters, not too long.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
