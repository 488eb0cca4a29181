//! Whose tokens are accepted beside the node's own.

use std::time::Duration;

use url::Url;

use super::{
    key::{Rule, subject},
    limits,
    value::{ForeignTokenType, SignatureAlgorithm},
};
use crate::identifiers::DepartmentId;

subject! {
    /// An authorisation server whose tokens are accepted beside the node's own.
    "issuers[]" => IssuerSettings {
        /// Name of the issuer, compared letter by letter with `iss` of a token.
        "issuer" => issuer: String = Rule::Required { shape: "URL" };
        /// Where its public keys are; `https`, or `http` on this machine.
        "jwks_url" => jwks_url: Url = Rule::Required { shape: "URL" };
        /// What its tokens must name as their audience (`aud`).
        "audience" => audience: String = Rule::SameAs { key: "node.audience", shape: "text" };
        /// Signature algorithms accepted from it: any of `EdDSA`, `ES256`, `RS256`.
        "algorithms" => algorithms: Vec<SignatureAlgorithm> = Rule::List { default: &["EdDSA", "ES256"], shape: "list of names" };
        /// The claim that names the registered client: `client_id`, `azp` or `sub`.
        "client_claim" => client_claim: String = Rule::Text { default: "client_id", shape: "name" };
        /// The departments whose clients it may speak for; a token for a client of any other is refused.
        "departments" => departments: Vec<DepartmentId> = Rule::RequiredList { shape: "list of departments" };
        /// What its access tokens are typed: `at+jwt` (RFC 9068), or `jwt` for issuers that do not type them. Then its ID tokens must name another audience.
        "token_type" => token_type: ForeignTokenType = Rule::Text { default: "at+jwt", shape: "`at+jwt` or `jwt`" };
        /// How often its keys are fetched.
        "refresh_s" => refresh: Duration = Rule::Number(&limits::JWKS_REFRESH_S);
        /// How long the last keys hold while it cannot be reached.
        "grace_s" => grace: Duration = Rule::Number(&limits::JWKS_GRACE_S);
    }
}
