//! Why a token, an assertion or a token request is refused.
//!
//! A [`Refusal`] has one case for each reason, because the text is all that a caller has to repair its side with. It may
//! repeat single claims, cut short and cleaned, never the token.

use chrono::{DateTime, SecondsFormat, Utc};

use super::{
    jwks::Algorithm,
    rules::{JTI_CHARS_MAX, TOKEN_BYTES_MAX},
};
use crate::{
    identifiers::{ClientId, DepartmentId},
    ledger::LedgerError,
    problem::Code,
};

/// Why it is not known who is calling.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("no bearer token was sent. Get one at the token endpoint and send it as `Authorization: Bearer`")]
    TokenMissing,
    #[error("{0}")]
    Token(Refusal),
    #[error("{0}")]
    Assertion(Refusal),
    #[error("parameter `{name}` is missing")]
    ParameterMissing { name: &'static str },
    #[error("grant type `{found}` is not offered. Use `client_credentials`")]
    GrantType { found: String },
    #[error(
        "client assertion type `{found}` is not offered. Use `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`"
    )]
    AssertionType { found: String },
    #[error("the rules for tokens do not hold together: {reason}")]
    Rules { reason: String },
    #[error("the foreign issuer `{issuer}` cannot be used: {reason}")]
    ForeignIssuer { issuer: String, reason: String },
    #[error("the keys of the foreign issuer `{issuer}` could not be fetched: {reason}")]
    ForeignKeys { issuer: String, reason: String },
    #[error("the clients could not be looked up")]
    Ledger(#[from] LedgerError),
}

impl IdentityError {
    pub fn code(&self) -> Code {
        match self {
            Self::TokenMissing => Code::TokenMissing,
            Self::Token(_) => Code::TokenInvalid,
            Self::Assertion(_) => Code::ClientRejected,
            Self::ParameterMissing { .. } | Self::GrantType { .. } | Self::AssertionType { .. } => {
                Code::TokenRequestInvalid
            }
            Self::Rules { .. } | Self::ForeignIssuer { .. } => Code::ConfigInvalid,
            Self::ForeignKeys { .. } => Code::Internal,
            Self::Ledger(error) => error.code(),
        }
    }

    /// The `error` of a refused token request (RFC 6749 section 5.2); none where the fault is the node's.
    pub fn oauth_error(&self) -> Option<&'static str> {
        match self {
            Self::Assertion(_) => Some("invalid_client"),
            Self::ParameterMissing { .. } | Self::AssertionType { .. } => Some("invalid_request"),
            Self::GrantType { .. } => Some("unsupported_grant_type"),
            Self::TokenMissing
            | Self::Token(_)
            | Self::Rules { .. }
            | Self::ForeignIssuer { .. }
            | Self::ForeignKeys { .. }
            | Self::Ledger(_) => None,
        }
    }
}

/// Why a token or an assertion is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("it is longer than {TOKEN_BYTES_MAX} bytes")]
    TooLong,
    #[error("it is not three parts with dots between (a compact JWS)")]
    NotCompact,
    #[error("its {part} is not base64url in its one spelling, without padding")]
    NotBase64 { part: &'static str },
    #[error("its {part} is not a JSON object")]
    NotJson { part: &'static str },
    #[error("its {part} names `{member}` twice")]
    Duplicate { part: &'static str, member: String },
    #[error("its type is {}, expected `{expected}`", quoted(.found))]
    Type { found: Option<String>, expected: &'static str },
    #[error("its algorithm is {}, accepted are {accepted}", quoted(.found), accepted = Algorithm::NAMES)]
    Algorithm { found: Option<String> },
    #[error("its algorithm is {found}, accepted from this issuer are others")]
    AlgorithmNotOfIssuer { found: Algorithm },
    #[error("its header names extensions as critical, none is understood here")]
    Critical,
    #[error("its header brings a key of its own (`{member}`), keys are registered beforehand")]
    EmbeddedKey { member: &'static str },
    #[error("its header has a `{member}` that is no text")]
    HeaderShape { member: &'static str },
    #[error("its header names no key (`kid`), and there are several")]
    KeyUnnamed,
    #[error("it is signed by key `{kid}`, which is not known here")]
    KeyUnknown { kid: String },
    #[error("it is signed by key `{kid}`, a name that several keys have")]
    KeyAmbiguous { kid: String },
    #[error("its algorithm is {found}, its key is for {expected}")]
    KeyAlgorithm { found: Algorithm, expected: Algorithm },
    #[error("its signature does not verify")]
    Signature,
    #[error("claim `{claim}` is missing")]
    ClaimMissing { claim: &'static str },
    #[error("claim `{claim}` is not {expected}")]
    ClaimShape { claim: &'static str, expected: &'static str },
    #[error("its issuer is `{found}`, which is not trusted here")]
    Issuer { found: String },
    #[error("its audience is `{found}`, expected `{expected}`")]
    Audience { found: String, expected: String },
    #[error("its audience names others as well, expected `{expected}` alone")]
    AudienceShared { expected: String },
    #[error("claims `{one}` and `{other}` differ")]
    ClaimsDiffer { one: &'static str, other: &'static str },
    #[error("it expired at {}, now it is {}", shown_time(.at), shown_time(.now))]
    Expired { at: DateTime<Utc>, now: DateTime<Utc> },
    #[error("it expires at {}, more than {seconds_max} seconds ahead", shown_time(.at))]
    TooFarAhead { at: DateTime<Utc>, seconds_max: i64 },
    #[error("claim `{claim}` is {}, which lies ahead: now it is {}", shown_time(.at), shown_time(.now))]
    Early { claim: &'static str, at: DateTime<Utc>, now: DateTime<Utc> },
    #[error("claim `jti` has more than {JTI_CHARS_MAX} characters")]
    IdTooLong,
    #[error("it was used before. Make a new assertion, with a new `jti`, for each token")]
    Replayed,
    #[error("client `{client}` is not registered here")]
    ClientUnknown { client: String },
    #[error("client `{client}` is suspended")]
    ClientSuspended { client: ClientId },
    #[error("it was issued before the client was suspended or its keys were replaced. Get a new one")]
    Revoked,
    #[error("client `{client}` has no key that can be used here")]
    ClientWithoutKey { client: ClientId },
    #[error("its issuer does not speak for clients of `{department}`")]
    DepartmentNotOfIssuer { department: DepartmentId },
    #[error("the keys of its issuer could not be fetched")]
    IssuerUnreachable,
    #[error("the keys of its issuer were last fetched at {}, too long ago to be trusted", shown_time(.at))]
    IssuerStale { at: DateTime<Utc> },
}

/// Most characters of a caller's text that a message repeats.
const SHOWN_CHARS: usize = 80;

/// A caller's text, short and on one line.
pub(super) fn shown(text: &str) -> String {
    let clean = |c: char| if c.is_control() || c == '`' { '?' } else { c };
    let mut shown: String = text.chars().take(SHOWN_CHARS).map(clean).collect();
    if text.chars().nth(SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

fn quoted(text: &Option<String>) -> String {
    text.as_ref().map_or_else(|| "not stated".to_owned(), |text| format!("`{text}`"))
}

fn shown_time(time: &DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_repeats_a_text_short_and_on_one_line() {
        assert_eq!(shown("https://idp.example"), "https://idp.example");
        assert_eq!(shown("a\nb`c\u{7f}"), "a?b?c?");
        assert_eq!(shown(&"数".repeat(81)), format!("{}…", "数".repeat(80)));
    }

    #[test]
    fn a_refusal_says_what_was_found_and_what_was_expected() {
        let at = DateTime::from_timestamp(1_764_000_000, 0).unwrap();
        let cases = [
            (Refusal::Expired { at, now: at }, "it expired at 2025-11-24T16:00:00Z, now it is 2025-11-24T16:00:00Z"),
            (Refusal::Type { found: None, expected: "at+jwt" }, "its type is not stated, expected `at+jwt`"),
            (
                Refusal::Algorithm { found: Some("none".to_owned()) },
                "its algorithm is `none`, accepted are EdDSA, ES256, RS256",
            ),
            (
                Refusal::TooFarAhead { at, seconds_max: 300 },
                "it expires at 2025-11-24T16:00:00Z, more than 300 seconds ahead",
            ),
        ];
        for (refusal, text) in cases {
            assert_eq!(refusal.to_string(), text);
        }
    }
}
