//! `POST /oauth/token`: a client proves itself and gets an access token (RFC 6749, RFC 7523).

use std::sync::Arc;

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use metrics::counter;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::super::{
    Node, body,
    problem::{ProblemBody, ProblemResponse, status_of},
};
use crate::{
    identity::{IdentityError, TokenRequest},
    problem::{Code, Problem},
};

/// A token request (RFC 7523 section 2.2), as a form.
#[derive(Debug, Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the form for OpenAPI; `read_form` reads it and refuses doubled parameters")]
pub(crate) struct TokenForm {
    /// Always `client_credentials`.
    #[schema(example = "client_credentials")]
    grant_type: String,
    /// Always `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`.
    #[schema(example = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer")]
    client_assertion_type: String,
    /// A JWT signed by the client's registered key: `iss` and `sub` the client id, `aud` this endpoint, `exp` at most
    /// five minutes ahead, `jti` new each time.
    client_assertion: String,
    /// The client id, if it is sent at all; must be the assertion's.
    client_id: Option<String>,
    /// Accepted and ignored: rights come from agreements.
    scope: Option<String>,
}

/// An access token (RFC 9068).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenBody {
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Seconds.
    pub expires_in: u64,
}

/// A refusal in the form of RFC 6749 section 5.2.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TokenErrorBody {
    /// `invalid_request`, `invalid_client` or `unsupported_grant_type`.
    pub error: &'static str,
    pub error_description: String,
    /// Stable code; `docs/errors.md` lists them.
    pub code: &'static str,
}

/// Get an access token.
#[utoipa::path(
    post,
    path = "/oauth/token",
    tag = "tokens",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "An access token", body = TokenBody),
        (status = 400, description = "The request is not of the documented form", body = TokenErrorBody),
        (status = 401, description = "The client's assertion was refused", body = TokenErrorBody),
        (status = 408, description = "The request took too long to arrive", body = ProblemBody, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "The content type is not application/x-www-form-urlencoded", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Overloaded or shutting down; see `retry-after`", body = ProblemBody, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn issue(State(node): State<Arc<Node>>, headers: HeaderMap, body: Body) -> Response {
    match issued(&node, &headers, body).await {
        Ok(response) => response,
        Err(problem) => ProblemResponse::from(problem).into_response(),
    }
}

async fn issued(node: &Node, headers: &HeaderMap, body: Body) -> Result<Response, Problem> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(Problem::new(Code::UnsupportedMediaType, "a token request is a form")
            .remedy("Send `content-type: application/x-www-form-urlencoded`."));
    }
    let bytes = body::read(body, node.settings.http.body_bytes_max).await?;
    let result = match read_form(&bytes) {
        Ok(request) => node.issue_token(request).await,
        Err(twice) => return Ok(doubled(&twice)),
    };
    match result {
        Ok(token) => {
            counter!("shuqiao_tokens_issued_total", "result" => "issued").increment(1);
            let body =
                TokenBody { access_token: token.access_token, token_type: "Bearer", expires_in: token.expires_in };
            Ok(([(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(body)).into_response())
        }
        Err(error) => {
            counter!("shuqiao_tokens_issued_total", "result" => "refused").increment(1);
            refused(&error)
        }
    }
}

/// The form's parameters; the name of one that stands twice, which RFC 6749 section 3.2 forbids.
fn read_form(bytes: &[u8]) -> Result<TokenRequest, String> {
    let mut request = TokenRequest::default();
    for (name, value) in url::form_urlencoded::parse(bytes) {
        let slot = match name.as_ref() {
            "grant_type" => &mut request.grant_type,
            "client_assertion_type" => &mut request.client_assertion_type,
            "client_assertion" => &mut request.client_assertion,
            "client_id" => &mut request.client_id,
            "scope" => &mut request.scope,
            _ => continue, // RFC 6749 section 3.2: unrecognised parameters are ignored.
        };
        if slot.replace(value.into_owned()).is_some() {
            return Err(name.into_owned());
        }
    }
    Ok(request)
}

fn doubled(name: &str) -> Response {
    let body = TokenErrorBody {
        error: "invalid_request",
        error_description: format!("parameter `{name}` stands twice"),
        code: Code::TokenRequestInvalid.as_str(),
    };
    let unkept = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    (StatusCode::BAD_REQUEST, unkept, Json(body)).into_response()
}

fn refused(error: &IdentityError) -> Result<Response, Problem> {
    let code = error.code();
    let Some(name) = error.oauth_error() else {
        tracing::error!(error = error as &dyn std::error::Error, "no token could be issued");
        return Err(Problem::new(Code::NotReady, "the node cannot issue tokens now")
            .remedy("Try again.")
            .retry_after(1));
    };
    let body = TokenErrorBody { error: name, error_description: error.to_string(), code: code.as_str() };
    let status = StatusCode::from_u16(status_of(code)).unwrap_or(StatusCode::BAD_REQUEST);
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
