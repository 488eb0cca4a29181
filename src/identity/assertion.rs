//! Client assertions (RFC 7523): the maker for our own command line, and the check for everybody's.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{
    Refusal, TokenRules,
    compact::Compact,
    directory::{Entry, Snapshot},
    error::shown,
};
use crate::{
    identifiers::ClientId,
    keys::{SigningKey, jws},
    ledger::ClientStatus,
};

/// The explicit type that the revision of RFC 7523 recommends. `JWT` and none at all are taken as well.
const TYPE: &str = "client-authentication+jwt";
/// How long our own assertions live: as long as a slow line needs.
const LIFE: TimeDelta = TimeDelta::seconds(60);

/// An assertion by which `client` gets a token from `audience`, the token endpoint or the issuer of a node. `jti` must be
/// a new one each time.
pub fn make(key: &SigningKey, client: &ClientId, audience: &str, now: DateTime<Utc>, jti: &str) -> String {
    let claims = json!({
        "iss": client, "sub": client, "aud": audience,
        "iat": now.timestamp(), "exp": (now + LIFE).timestamp(), "jti": jti,
    });
    jws::sign(key, TYPE, claims.to_string().as_bytes())
}

/// What an assertion has proved.
pub(super) struct Proof<'a> {
    pub(super) entry: &'a Entry,
    pub(super) jti: String,
    /// From then on the assertion is refused as expired, so its `jti` need not be remembered.
    pub(super) spent_until: DateTime<Utc>,
}

/// Who signed the assertion; whether it has been used before is for the ledger to say.
pub(super) fn examine<'a>(
    text: &Compact<'_>,
    clients: &'a Snapshot,
    rules: &TokenRules,
    now: DateTime<Utc>,
) -> Result<Proof<'a>, Refusal> {
    text.expect_type(&[TYPE, "jwt"], true)?;
    let claims = &text.claims;
    // RFC 7523 section 3: both name the client.
    let subject = claims.text("sub")?;
    if claims.text("iss")? != subject {
        return Err(Refusal::ClaimsDiffer { one: "iss", other: "sub" });
    }
    let entry = clients.find(subject).ok_or_else(|| Refusal::ClientUnknown { client: shown(subject) })?;
    if entry.keys.is_empty() {
        return Err(Refusal::ClientWithoutKey { client: entry.client.id.clone() });
    }
    text.verify(entry.keys.find(text.kid.as_deref())?)?;
    match entry.client.status {
        ClientStatus::Active => {}
        ClientStatus::Suspended => return Err(Refusal::ClientSuspended { client: entry.client.id.clone() }),
    }
    claims.expect_audience(&[&rules.token_endpoint, &rules.issuer])?;
    let expires = claims.expect_unexpired(now, rules.skew)?;
    if expires > now + rules.assertion_life_max + rules.skew {
        return Err(Refusal::TooFarAhead { at: expires, seconds_max: rules.assertion_life_max.num_seconds() });
    }
    claims.expect_begun(now, rules.skew)?;
    Ok(Proof { entry, jti: claims.id()?.to_owned(), spent_until: expires + rules.skew })
}

#[cfg(test)]
mod tests {
    use super::{
        super::{
            IdentityError,
            fixture::{Bench, ENDPOINT, NODE},
        },
        *,
    };

    #[tokio::test]
    async fn an_assertion_of_our_own_maker_buys_one_token() {
        let bench = Bench::new().await;
        for (audience, jti) in [(ENDPOINT, "one"), (NODE, "two")] {
            let assertion = make(&bench.client_key, &bench.client, audience, bench.now, jti);
            assert_eq!(bench.issue(assertion.clone()).await.unwrap().client, bench.client);
            assert!(matches!(bench.issue(assertion).await, Err(IdentityError::Assertion(Refusal::Replayed))));
        }
    }

    #[tokio::test]
    async fn a_suspended_client_and_one_without_usable_keys_get_no_token() {
        let bench = Bench::new().await;
        bench.ledger.set_client_status(&bench.client, ClientStatus::Suspended, bench.now).await.unwrap();
        let assertion = make(&bench.client_key, &bench.client, ENDPOINT, bench.now, "a");
        let error = bench.issue(assertion).await.unwrap_err();
        assert!(matches!(error, IdentityError::Assertion(Refusal::ClientSuspended { .. })), "{error:?}");

        bench.register("keyless", &json!({ "kty": "EC", "crv": "P-521", "kid": bench.client_key.kid() })).await;
        let assertion = make(&bench.client_key, &"keyless".parse().unwrap(), ENDPOINT, bench.now, "a");
        let error = bench.issue(assertion).await.unwrap_err();
        assert!(matches!(error, IdentityError::Assertion(Refusal::ClientWithoutKey { .. })), "{error:?}");
    }
}
