//! The token endpoint, without HTTP: an assertion in, an access token out (RFC 6749 section 4.4, RFC 7523, RFC 9068).

use std::{fmt, sync::Arc};

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use super::{ClientDirectory, IdentityError, Refusal, TokenRules, assertion, compact::Compact, error::shown};
use crate::{
    identifiers::{ClientId, DepartmentId},
    keys::{KeyRing, jws},
    ledger::{Client, ClientStatus},
};

const GRANT_TYPE: &str = "client_credentials";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// RFC 9068 section 2.1.
pub(super) const ACCESS_TOKEN_TYPE: &str = "at+jwt";

/// The form of a token request. Parameters not named here are passed over (RFC 6749 section 3.2).
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub struct TokenRequest {
    pub grant_type: Option<String>,
    pub client_assertion_type: Option<String>,
    pub client_assertion: Option<String>,
    /// Not needed; where it is there, it names the client of the assertion (RFC 7521 section 4.2).
    pub client_id: Option<String>,
    /// Passed over: agreements and policies say what a client may do.
    pub scope: Option<String>,
}

impl TokenRequest {
    /// The request of a client that holds an assertion.
    pub fn with_assertion(assertion: String) -> Self {
        Self {
            grant_type: Some(GRANT_TYPE.to_owned()),
            client_assertion_type: Some(ASSERTION_TYPE.to_owned()),
            client_assertion: Some(assertion),
            client_id: None,
            scope: None,
        }
    }

    /// The assertion of a request that is otherwise in order.
    fn assertion(&self) -> Result<&str, IdentityError> {
        // An empty parameter counts as one that is not there (RFC 6749 section 3.2).
        let given = |value: &'_ Option<String>| value.as_deref().is_some_and(|text| !text.is_empty());
        let required = |name: &'static str, value: &Option<String>| {
            if given(value) { Ok(()) } else { Err(IdentityError::ParameterMissing { name }) }
        };
        required("grant_type", &self.grant_type)?;
        if let Some(found) = self.grant_type.as_deref().filter(|found| *found != GRANT_TYPE) {
            return Err(IdentityError::GrantType { found: shown(found) });
        }
        required("client_assertion_type", &self.client_assertion_type)?;
        if let Some(found) = self.client_assertion_type.as_deref().filter(|found| *found != ASSERTION_TYPE) {
            return Err(IdentityError::AssertionType { found: shown(found) });
        }
        required("client_assertion", &self.client_assertion)?;
        Ok(self.client_assertion.as_deref().unwrap_or_default())
    }
}

/// The assertion is as good as a password until it is used, so it is not printed.
impl fmt::Debug for TokenRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenRequest")
            .field("grant_type", &self.grant_type)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}

/// A token, and what was said about it to whom.
#[derive(Clone)]
pub struct IssuedToken {
    /// The bearer token itself: `access_token` of the answer, with `token_type` `Bearer`.
    pub access_token: String,
    /// Seconds that the token lives.
    pub expires_in: u64,
    pub token_id: Uuid,
    pub client: ClientId,
    pub department: DepartmentId,
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken")
            .field("client", &self.client)
            .field("token_id", &self.token_id)
            .finish_non_exhaustive()
    }
}

/// Issues access tokens to registered clients.
pub struct Issuer {
    rules: TokenRules,
    keys: Arc<KeyRing>,
    directory: Arc<ClientDirectory>,
}

impl Issuer {
    pub fn new(rules: TokenRules, keys: Arc<KeyRing>, directory: Arc<ClientDirectory>) -> Result<Self, IdentityError> {
        rules.check()?;
        Ok(Self { rules, keys, directory })
    }

    /// Answer a token request. `token_id` names the new token and must be random.
    ///
    /// An assertion is used up by the token that it buys, and remembered on the disk before the token leaves.
    pub async fn issue(
        &self,
        form: &TokenRequest,
        token_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<IssuedToken, IdentityError> {
        let text = Compact::read(form.assertion()?).map_err(IdentityError::Assertion)?;
        // Tokens are rare: look at the ledger as it stands now. The node then knows a client that it gives a token to.
        self.directory.refresh().await?;
        let (client, jti, spent_until) = {
            let clients = self.directory.snapshot();
            let proof = assertion::examine(&text, &clients, &self.rules, now).map_err(IdentityError::Assertion)?;
            (proof.entry.client.clone(), proof.jti, proof.spent_until)
        };
        if form.client_id.as_deref().is_some_and(|id| !id.is_empty() && id != client.id.as_str()) {
            return Err(IdentityError::Assertion(Refusal::ClaimsDiffer { one: "client_id", other: "sub" }));
        }
        if !self.directory.ledger().use_assertion(&client.id, &jti, spent_until, now).await? {
            return Err(IdentityError::Assertion(Refusal::Replayed));
        }
        Ok(self.token(client, token_id, now))
    }

    /// A token for a registered client without an assertion: for whoever holds the node's keys and works on the node
    /// itself. No door leads here.
    pub fn issue_on_site(
        &self,
        client: &ClientId,
        token_id: Uuid,
        now: DateTime<Utc>,
    ) -> Result<IssuedToken, IdentityError> {
        let clients = self.directory.snapshot();
        let unknown = || IdentityError::Assertion(Refusal::ClientUnknown { client: client.to_string() });
        let known = &clients.find(client.as_str()).ok_or_else(unknown)?.client;
        match known.status {
            ClientStatus::Active => Ok(self.token(known.clone(), token_id, now)),
            ClientStatus::Suspended => {
                Err(IdentityError::Assertion(Refusal::ClientSuspended { client: client.clone() }))
            }
        }
    }

    fn token(&self, client: Client, token_id: Uuid, now: DateTime<Utc>) -> IssuedToken {
        let life = self.rules.token_life.num_seconds();
        // Not before the second from which tokens of this client are good: it is at most one second away, in which
        // the client was resumed or given new keys.
        let issued_at = now.max(client.tokens_from).timestamp();
        let claims = json!({
            "iss": self.rules.issuer, "aud": self.rules.audience,
            "sub": client.id, "client_id": client.id, "department": client.department,
            "iat": issued_at, "exp": now.timestamp() + life, "jti": token_id,
        });
        IssuedToken {
            access_token: jws::sign(&self.keys.signing(), ACCESS_TOKEN_TYPE, claims.to_string().as_bytes()),
            expires_in: life.unsigned_abs(),
            token_id,
            client: client.id,
            department: client.department,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::{
        super::fixture::{AUDIENCE, Bench, DEPARTMENT, ENDPOINT, NODE, jwks},
        *,
    };
    use crate::{
        ledger::{ClientKeys, Ledger},
        problem::Code,
    };

    #[tokio::test]
    async fn a_token_says_who_for_whom_and_how_long() {
        let bench = Bench::new().await;
        let assertion = assertion::make(&bench.client_key, &bench.client, ENDPOINT, bench.now, "a");
        let issued = bench.issue(assertion).await.unwrap();
        let keys = bench.node_keys.public();
        let payload = jws::verify(&issued.access_token, "at+jwt", &keys).unwrap();
        let claims: serde_json::Value = serde_json::from_slice(&payload).unwrap();
        let expect = json!({
            "iss": NODE, "aud": AUDIENCE, "sub": "window", "client_id": "window", "department": DEPARTMENT,
            "iat": bench.after(0), "exp": bench.after(300), "jti": Uuid::from_u128(7),
        });
        assert_eq!(claims, expect);
        assert_eq!(issued.expires_in, 300);
        assert!(!format!("{issued:?}").contains(&issued.access_token));
    }

    #[tokio::test]
    async fn a_request_of_another_form_is_refused_in_the_words_of_oauth() {
        let bench = Bench::new().await;
        let issuer = bench.issuer();
        let good = || {
            TokenRequest::with_assertion(assertion::make(&bench.client_key, &bench.client, ENDPOINT, bench.now, "a"))
        };
        let text = |text: &str| Some(text.to_owned());
        let (invalid, rejected) = (Code::TokenRequestInvalid, Code::ClientRejected);
        let cases = [
            (TokenRequest::default(), "invalid_request", invalid),
            (TokenRequest { grant_type: text(""), ..good() }, "invalid_request", invalid),
            (TokenRequest { grant_type: text("password"), ..good() }, "unsupported_grant_type", invalid),
            (TokenRequest { client_assertion_type: None, ..good() }, "invalid_request", invalid),
            (TokenRequest { client_assertion_type: text("saml2"), ..good() }, "invalid_request", invalid),
            (TokenRequest { client_assertion: None, ..good() }, "invalid_request", invalid),
            (TokenRequest { client_assertion: text(""), ..good() }, "invalid_request", invalid),
            (TokenRequest { client_id: text("kiosk"), ..good() }, "invalid_client", rejected),
            (TokenRequest { client_assertion: text("garbage"), ..good() }, "invalid_client", rejected),
        ];
        for (form, oauth, code) in cases {
            let error = issuer.issue(&form, Uuid::nil(), bench.now).await.unwrap_err();
            assert_eq!((error.oauth_error(), error.code()), (Some(oauth), code), "{form:?}: {error}");
        }
        let named = TokenRequest { client_id: text("window"), scope: text("everything"), ..good() };
        issuer.issue(&named, Uuid::nil(), bench.now).await.unwrap();
    }

    #[tokio::test]
    async fn an_assertion_is_used_up_across_a_restart() {
        let bench = Bench::new().await;
        let assertion = assertion::make(&bench.client_key, &bench.client, ENDPOINT, bench.now, "a");
        bench.issue(assertion.clone()).await.unwrap();
        let directory = ClientDirectory::open(Ledger::open(&bench.ledger_path()).await.unwrap()).await.unwrap();
        let restarted = Issuer::new(bench.rules(), bench.node_keys.clone(), Arc::new(directory)).unwrap();
        let error =
            restarted.issue(&TokenRequest::with_assertion(assertion), Uuid::nil(), bench.now).await.unwrap_err();
        assert!(matches!(error, IdentityError::Assertion(Refusal::Replayed)), "{error:?}");
    }

    #[tokio::test]
    async fn a_client_that_was_resumed_or_got_new_keys_has_a_good_token_at_once() {
        let bench = Bench::new().await;
        let verifier = bench.verifier(Vec::new());
        bench.ledger.set_client_status(&bench.client, ClientStatus::Suspended, bench.now).await.unwrap();
        bench.ledger.set_client_status(&bench.client, ClientStatus::Active, bench.now).await.unwrap();
        let token = bench.access_token("a").await;
        verifier.verify(&token, bench.now).await.unwrap();

        let keys = ClientKeys::from_json(&jwks(&bench.other_client_key).to_string()).unwrap();
        bench.ledger.replace_client_keys(&bench.client, &keys, bench.now).await.unwrap();
        let old = assertion::make(&bench.client_key, &bench.client, ENDPOINT, bench.now, "b");
        assert!(matches!(bench.issue(old).await, Err(IdentityError::Assertion(Refusal::KeyUnknown { .. }))));
        let new = assertion::make(&bench.other_client_key, &bench.client, ENDPOINT, bench.now, "c");
        let token = bench.issue(new).await.unwrap().access_token;
        verifier.verify(&token, bench.now).await.unwrap();
    }

    #[tokio::test]
    async fn rules_that_make_no_sense_are_refused() {
        let bench = Bench::new().await;
        let good = bench.rules();
        let cases = [
            TokenRules { issuer: String::new(), ..good.clone() },
            TokenRules { token_life: TimeDelta::zero(), ..good.clone() },
            TokenRules { token_life: TimeDelta::days(1), ..good.clone() },
            TokenRules { skew: TimeDelta::seconds(-1), ..good.clone() },
            TokenRules { skew: TimeDelta::hours(1), ..good.clone() },
            TokenRules { assertion_life_max: TimeDelta::minutes(11), ..good },
        ];
        for rules in cases {
            let outcome = Issuer::new(rules.clone(), bench.node_keys.clone(), bench.directory.clone());
            assert_eq!(outcome.err().map(|error| error.code()), Some(Code::ConfigInvalid), "{rules:?}");
        }
    }
}
