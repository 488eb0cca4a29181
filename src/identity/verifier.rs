//! From a bearer token to a caller.
//!
//! A token that was verified is remembered by its hash until it expires; the next call with it costs a hash, a look-up
//! and a glance at the clients in memory, no signature. What can change meanwhile is looked at every time: the client's
//! status, the second from which its tokens are good, the keys of a foreign issuer.

use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::digest;
use chrono::{DateTime, TimeDelta, Utc};
use quick_cache::sync::Cache;

use super::{
    ClientDirectory, ForeignIssuer, IdentityError, KeySet, Refusal, TokenRules, compact::Compact, directory::Snapshot,
    error::shown, foreign::Foreign, issuer::ACCESS_TOKEN_TYPE, rules::TOKEN_BYTES_MAX,
};
use crate::{
    identifiers::{ClientId, DepartmentId, Roles},
    keys::PublicKeys,
    ledger::{Client, ClientStatus},
};

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    pub client: ClientId,
    pub department: DepartmentId,
    /// None for a system.
    pub roles: Roles,
    /// `jti` of the token.
    pub token_id: String,
    pub expires: DateTime<Utc>,
}

/// A token that was verified. Whether its client may still call is not part of it.
#[derive(Debug)]
struct Verified {
    client: String,
    token_id: String,
    issued_at: DateTime<Utc>,
    expires: DateTime<Utc>,
    /// `expires`, and for a foreign token the difference of clocks on top.
    good_until: DateTime<Utc>,
    origin: Origin,
}

#[derive(Clone, Copy, Debug)]
enum Origin {
    /// The generation of our own keys.
    Own { generation: u64 },
    /// Position of the issuer, and the generation of its keys.
    Foreign { position: usize, generation: u64 },
}

/// The keys of our own tokens, and how often they have changed: what was verified by others is verified again.
struct OwnKeys {
    keys: KeySet,
    generation: u64,
}

impl OwnKeys {
    fn new(keys: &PublicKeys, generation: u64) -> Result<Self, IdentityError> {
        let keys = KeySet::from_json(&keys.jwks().to_string())
            .map_err(|reason| IdentityError::Rules { reason: format!("the node's own keys: {reason}") })?;
        if keys.is_empty() {
            return Err(IdentityError::Rules { reason: "the node has no key of its own".to_owned() });
        }
        Ok(Self { keys, generation })
    }
}

/// Verifies bearer tokens: our own, and those of the foreign issuers that are listed.
pub struct Verifier {
    rules: TokenRules,
    own: ArcSwap<OwnKeys>,
    foreign: Vec<Foreign>,
    directory: Arc<ClientDirectory>,
    remembered: Cache<[u8; digest::SHA256_OUTPUT_LEN], Arc<Verified>>,
}

impl Verifier {
    /// `own_keys`: the keys that our own tokens may be signed with, old ones too while their tokens live.
    pub fn new(
        rules: TokenRules,
        own_keys: &PublicKeys,
        foreign: Vec<ForeignIssuer>,
        directory: Arc<ClientDirectory>,
    ) -> Result<Self, IdentityError> {
        rules.check()?;
        let own = ArcSwap::from_pointee(OwnKeys::new(own_keys, 0)?);
        let foreign = Foreign::all(foreign, &rules)?;
        let remembered = Cache::new(rules.remembered_max);
        Ok(Self { rules, own, foreign, directory, remembered })
    }

    /// Accept our own tokens by these keys from now on. A token of a key that is no longer among them is refused at its
    /// next use.
    pub fn set_own_keys(&self, own_keys: &PublicKeys) -> Result<(), IdentityError> {
        let next = OwnKeys::new(own_keys, self.own.load().generation + 1)?;
        self.own.store(Arc::new(next));
        Ok(())
    }

    /// Who calls with this token? Waits for the network only where a foreign issuer's key is not known yet.
    pub async fn verify(&self, bearer: &str, now: DateTime<Utc>) -> Result<Caller, IdentityError> {
        if bearer.is_empty() {
            return Err(IdentityError::TokenMissing);
        }
        if bearer.len() > TOKEN_BYTES_MAX {
            return Err(IdentityError::Token(Refusal::TooLong));
        }
        let name = name_of(bearer);
        if let Some(verified) = self.remembered.get(&name).filter(|verified| self.still_holds(verified, now)) {
            return self.admit(&verified).map_err(IdentityError::Token);
        }
        let verified = Box::pin(self.examine(bearer, now)).await.map_err(IdentityError::Token)?;
        let caller = self.admit(&verified).map_err(IdentityError::Token)?;
        self.remembered.insert(name, Arc::new(verified));
        Ok(caller)
    }

    /// Fetch the keys of every foreign issuer. Gives back what failed, for the log; after a failure the last good keys
    /// are used for the time of grace.
    pub async fn refresh_foreign(&self, now: DateTime<Utc>) -> Vec<IdentityError> {
        let refreshes = self.foreign.iter().map(|foreign| foreign.refresh(now));
        futures::future::join_all(refreshes).await.into_iter().filter_map(Result::err).collect()
    }

    /// Who calls, where a registered client has proved itself in another manner than by a token: `proof` names the proof,
    /// made at `signed_at` and too old from `expires` on.
    pub fn stands(
        &self,
        client: &ClientId,
        proof: String,
        (signed_at, expires): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Caller, IdentityError> {
        let clients = self.directory.snapshot();
        let client = standing(&clients, client.as_str(), signed_at).map_err(IdentityError::Assertion)?;
        Ok(Caller {
            client: client.id.clone(),
            department: client.department.clone(),
            roles: client.roles.clone(),
            token_id: proof,
            expires,
        })
    }

    fn still_holds(&self, verified: &Verified, now: DateTime<Utc>) -> bool {
        let keys_hold = match verified.origin {
            Origin::Own { generation } => self.own.load().generation == generation,
            Origin::Foreign { position, generation } => {
                self.foreign[position].usable_keys(now).is_ok_and(|fetched| fetched.generation == generation)
            }
        };
        keys_hold && now < verified.good_until
    }

    /// The token is genuine, meant for this node, and of this time.
    async fn examine(&self, bearer: &str, now: DateTime<Utc>) -> Result<Verified, Refusal> {
        let token = Compact::read(bearer)?;
        // What cannot be an access token of anybody is told so before its issuer is looked at.
        if !self.foreign.iter().any(|foreign| foreign.issuer.plain_jwt) {
            token.expect_type(&[ACCESS_TOKEN_TYPE], false)?;
        }
        let issuer = token.claims.text("iss")?;
        if issuer == self.rules.issuer {
            return self.examine_own(&token, now);
        }
        match self.foreign.iter().position(|foreign| foreign.issuer.issuer == issuer) {
            Some(position) => self.examine_foreign(position, &token, now).await,
            None => Err(Refusal::Issuer { found: shown(issuer) }),
        }
    }

    fn examine_own(&self, token: &Compact<'_>, now: DateTime<Utc>) -> Result<Verified, Refusal> {
        token.expect_type(&[ACCESS_TOKEN_TYPE], false)?;
        let own = self.own.load();
        token.verify(own.keys.find(token.kid.as_deref())?)?;
        let claims = &token.claims;
        if claims.text("sub")? != claims.text("client_id")? {
            return Err(Refusal::ClaimsDiffer { one: "sub", other: "client_id" });
        }
        // Our own clock set the end, so there is nothing to allow for.
        self.verified(
            token,
            "client_id",
            &self.rules.audience,
            TimeDelta::zero(),
            Origin::Own { generation: own.generation },
            now,
        )
    }

    async fn examine_foreign(
        &self,
        position: usize,
        token: &Compact<'_>,
        now: DateTime<Utc>,
    ) -> Result<Verified, Refusal> {
        let foreign = &self.foreign[position];
        let generation = foreign.verify(token, now).await?;
        let (claim, audience) = (foreign.issuer.client_claim.as_str(), &foreign.issuer.audience);
        self.verified(token, claim, audience, self.rules.skew, Origin::Foreign { position, generation }, now)
    }

    fn verified(
        &self,
        token: &Compact<'_>,
        client_claim: &'static str,
        audience: &str,
        skew: TimeDelta,
        origin: Origin,
        now: DateTime<Utc>,
    ) -> Result<Verified, Refusal> {
        let claims = &token.claims;
        claims.expect_audience(&[audience])?;
        let expires = claims.expect_unexpired(now, skew)?;
        claims.expect_begun(now, self.rules.skew)?;
        Ok(Verified {
            client: claims.text(client_claim)?.to_owned(),
            token_id: claims.id()?.to_owned(),
            // A foreign clock may be ahead; then the token is older than it says.
            issued_at: claims.issued_at()? - skew,
            expires,
            good_until: expires + skew,
            origin,
        })
    }

    /// The client of a verified token, where it may call.
    fn admit(&self, verified: &Verified) -> Result<Caller, Refusal> {
        let clients = self.directory.snapshot();
        let client = standing(&clients, &verified.client, verified.issued_at)?;
        if let Origin::Foreign { position, .. } = verified.origin
            && !self.foreign[position].issuer.departments.contains(&client.department)
        {
            return Err(Refusal::DepartmentNotOfIssuer { department: client.department.clone() });
        }
        Ok(Caller {
            client: client.id.clone(),
            department: client.department.clone(),
            roles: client.roles.clone(),
            token_id: verified.token_id.clone(),
            expires: verified.expires,
        })
    }
}

/// The client, where it may call with what was issued then.
fn standing<'a>(clients: &'a Snapshot, id: &str, issued_at: DateTime<Utc>) -> Result<&'a Client, Refusal> {
    let entry = clients.find(id).ok_or_else(|| Refusal::ClientUnknown { client: shown(id) })?;
    let client = &entry.client;
    match client.status {
        ClientStatus::Active => {}
        ClientStatus::Suspended => return Err(Refusal::ClientSuspended { client: client.id.clone() }),
    }
    if issued_at < client.tokens_from {
        return Err(Refusal::Revoked);
    }
    Ok(client)
}

/// SHA-256 of the token: what is remembered cannot be used to call.
fn name_of(bearer: &str) -> [u8; digest::SHA256_OUTPUT_LEN] {
    let mut name = [0; digest::SHA256_OUTPUT_LEN];
    name.copy_from_slice(digest::digest(&digest::SHA256, bearer.as_bytes()).as_ref());
    name
}

#[cfg(test)]
mod tests {
    use super::{super::fixture::Bench, *};
    use crate::{ledger::Ledger, problem::Code};

    #[tokio::test]
    async fn a_token_names_its_caller_first_and_again() {
        let bench = Bench::new().await;
        let (token, verifier) = (bench.access_token("a").await, bench.verifier(Vec::new()));
        let expect = Caller {
            client: bench.client.clone(),
            department: "gz-civil-affairs".parse().unwrap(),
            roles: Roles::default(),
            token_id: uuid::Uuid::from_u128(7).to_string(),
            expires: bench.now + TimeDelta::seconds(300),
        };
        for _ in 0..2 {
            assert_eq!(verifier.verify(&token, bench.now).await.unwrap(), expect);
        }
        assert_eq!(verifier.remembered.len(), 1);
    }

    #[tokio::test]
    async fn a_token_ends_at_its_second_remembered_or_not() {
        let bench = Bench::new().await;
        let token = bench.access_token("a").await;
        let (warm, cold) = (bench.verifier(Vec::new()), bench.verifier(Vec::new()));
        warm.verify(&token, bench.now).await.unwrap();
        let end = bench.now + TimeDelta::seconds(300);
        for verifier in [warm, cold] {
            verifier.verify(&token, end - TimeDelta::milliseconds(1)).await.unwrap();
            let error = verifier.verify(&token, end).await.unwrap_err();
            assert!(matches!(error, IdentityError::Token(Refusal::Expired { .. })), "{error:?}");
        }
    }

    #[tokio::test]
    async fn a_suspension_is_seen_after_one_refresh_and_its_tokens_stay_void() {
        let bench = Bench::new().await;
        let (token, verifier) = (bench.access_token("a").await, bench.verifier(Vec::new()));
        verifier.verify(&token, bench.now).await.unwrap();
        let command_line = Ledger::open(&bench.ledger_path()).await.unwrap();
        command_line.set_client_status(&bench.client, ClientStatus::Suspended, bench.now).await.unwrap();
        bench.directory.refresh().await.unwrap();
        let error = verifier.verify(&token, bench.now).await.unwrap_err();
        assert!(matches!(error, IdentityError::Token(Refusal::ClientSuspended { .. })), "{error:?}");

        command_line.set_client_status(&bench.client, ClientStatus::Active, bench.now).await.unwrap();
        bench.directory.refresh().await.unwrap();
        let error = verifier.verify(&token, bench.now).await.unwrap_err();
        assert!(matches!(error, IdentityError::Token(Refusal::Revoked)), "{error:?}");
        verifier.verify(&bench.access_token("b").await, bench.now).await.unwrap();
    }

    #[tokio::test]
    async fn a_token_of_the_nodes_previous_key_is_good_while_that_key_is_listed() {
        let bench = Bench::new().await;
        let token = bench.access_token("a").await;
        let next = crate::keys::SigningKey::generate().unwrap();
        let with = |keys: PublicKeys| Verifier::new(bench.rules(), &keys, Vec::new(), bench.directory.clone()).unwrap();
        with(PublicKeys::new([next.public(), bench.node_key.public()])).verify(&token, bench.now).await.unwrap();
        let error = with(PublicKeys::new([next.public()])).verify(&token, bench.now).await.unwrap_err();
        assert!(matches!(error, IdentityError::Token(Refusal::KeyUnknown { .. })), "{error:?}");
    }

    #[tokio::test]
    async fn a_key_that_is_taken_away_takes_its_remembered_tokens_along() {
        let bench = Bench::new().await;
        let (token, verifier) = (bench.access_token("a").await, bench.verifier(Vec::new()));
        verifier.verify(&token, bench.now).await.unwrap();
        let next = crate::keys::SigningKey::generate().unwrap();
        verifier.set_own_keys(&PublicKeys::new([next.public(), bench.node_key.public()])).unwrap();
        verifier.verify(&token, bench.now).await.unwrap();
        verifier.set_own_keys(&PublicKeys::new([next.public()])).unwrap();
        let error = verifier.verify(&token, bench.now).await.unwrap_err();
        assert!(matches!(error, IdentityError::Token(Refusal::KeyUnknown { .. })), "{error:?}");
        assert!(verifier.set_own_keys(&PublicKeys::default()).is_err());
        assert!(verifier.verify(&token, bench.now).await.is_err());
    }

    #[tokio::test]
    async fn no_token_and_no_key_have_codes_of_their_own() {
        let bench = Bench::new().await;
        let error = bench.verifier(Vec::new()).verify("", bench.now).await.unwrap_err();
        assert_eq!(error.code(), Code::TokenMissing);
        let keyless = Verifier::new(bench.rules(), &PublicKeys::default(), Vec::new(), bench.directory.clone());
        assert_eq!(keyless.err().map(|error| error.code()), Some(Code::ConfigInvalid));
    }
}
