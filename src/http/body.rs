//! What handlers take from a request: the caller's token and the body as it was sent.

use axum::{
    body::{Body, Bytes},
    extract::{FromRequest, Request},
    http::{HeaderMap, header},
};
use serde::de::DeserializeOwned;

use crate::problem::{Code, Problem};

/// The bearer token, if the header has one (RFC 6750 section 2.1).
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_start())
}

/// Read a body whole, within the node's limit, before the slow-sender deadline.
pub(super) async fn read(body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    // The limit layer cuts longer bodies off; what arrives here as an error is such a cut, or a sender that went away.
    let request = Request::new(body);
    Bytes::from_request(request, &()).await.map_err(|_| {
        Problem::new(Code::BodyTooLarge, format!("the body is longer than {bytes_max} bytes, or broke off"))
            .remedy("A question is a few hundred bytes; ask about one subject at a time.")
    })
}

/// A JSON body of the documented shape.
pub(super) fn json<T: DeserializeOwned>(headers: &HeaderMap, bytes: &[u8]) -> Result<T, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Problem::new(Code::UnsupportedMediaType, format!("the content type is `{}`", printable(kind)))
            .remedy("Send `content-type: application/json`."));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        Problem::new(
            Code::MalformedBody,
            format!("the body is not of the documented shape: {}", printable(&error.to_string())),
        )
        .remedy("See /openapi.json for the shape.")
    })
}

/// Outside text fit for one line of an error: no control characters, not too long.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(200).collect()
}
