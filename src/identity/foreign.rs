//! Foreign issuers: identity providers of others whose access tokens this node takes.
//!
//! A foreign issuer speaks only for the departments it is given, and only for clients that are registered here; what it
//! says about the department of a client is not asked.

use std::{collections::BTreeSet, str::FromStr, sync::Arc};

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use super::{
    Algorithm, IdentityError, Refusal, TokenRules,
    compact::Compact,
    error::shown,
    fetch::{Fetched, KeySource},
    issuer::ACCESS_TOKEN_TYPE,
};
use crate::identifiers::DepartmentId;

/// Which claim of a foreign token names the registered client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientClaim {
    /// `client_id` (RFC 9068).
    ClientId,
    /// `azp`, as OpenID providers have it.
    Azp,
    /// `sub`.
    Sub,
}

impl ClientClaim {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientId => "client_id",
            Self::Azp => "azp",
            Self::Sub => "sub",
        }
    }
}

impl FromStr for ClientClaim {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        [Self::ClientId, Self::Azp, Self::Sub]
            .into_iter()
            .find(|claim| claim.as_str() == text)
            .ok_or_else(|| format!("the claim `{}` is none of client_id, azp, sub", shown(text)))
    }
}

/// An identity provider of others, and how far it is trusted.
#[derive(Clone, Debug)]
pub struct ForeignIssuer {
    /// `iss` of its tokens.
    pub issuer: String,
    /// Where its keys are. `https`, or `http` on this machine.
    pub jwks_url: Url,
    /// What it may sign with.
    pub algorithms: BTreeSet<Algorithm>,
    /// `aud` that it gives to tokens for this node.
    pub audience: String,
    pub client_claim: ClientClaim,
    /// The departments whose clients it may speak for.
    pub departments: BTreeSet<DepartmentId>,
    /// How long its last keys are used while they cannot be fetched again.
    pub grace: TimeDelta,
    /// Take tokens of type `JWT` or of none too. Some providers know no `at+jwt`; their audience must then be one that
    /// they give to access tokens only.
    pub plain_jwt: bool,
}

/// A foreign issuer with its keys.
#[derive(Debug)]
pub(super) struct Foreign {
    pub(super) issuer: ForeignIssuer,
    source: KeySource,
}

impl Foreign {
    /// The foreign issuers of a node, checked together.
    pub(super) fn all(issuers: Vec<ForeignIssuer>, rules: &TokenRules) -> Result<Vec<Self>, IdentityError> {
        if issuers.is_empty() {
            return Ok(Vec::new()); // and no HTTP client is made, which would read the machine's certificates
        }
        let bad = |issuer: &str, reason: &str| IdentityError::ForeignIssuer {
            issuer: issuer.to_owned(),
            reason: reason.to_owned(),
        };
        let client = KeySource::client().map_err(|reason| bad(&issuers[0].issuer, &reason))?;
        let mut seen = BTreeSet::from([rules.issuer.clone()]);
        let mut all = Vec::with_capacity(issuers.len());
        for issuer in issuers {
            let bad = |reason: &str| Err(bad(&issuer.issuer, reason));
            if issuer.issuer.is_empty() || issuer.audience.is_empty() {
                return bad("issuer and audience must be given");
            }
            if !seen.insert(issuer.issuer.clone()) {
                return bad("the name is taken, by this node or another entry");
            }
            if issuer.grace < TimeDelta::zero() {
                return bad("the grace for its keys cannot be negative");
            }
            if issuer.algorithms.is_empty() {
                return bad("it may sign with no algorithm. List at least one");
            }
            if issuer.departments.is_empty() {
                return bad("it speaks for no department. List at least one");
            }
            match KeySource::new(&issuer.jwks_url, client.clone()) {
                Ok(source) => all.push(Self { issuer, source }),
                Err(reason) => return bad(reason),
            }
        }
        Ok(all)
    }

    /// Fetch its keys now.
    pub(super) async fn refresh(&self, now: DateTime<Utc>) -> Result<(), IdentityError> {
        let failed = |reason| IdentityError::ForeignKeys { issuer: self.issuer.issuer.clone(), reason };
        self.source.refresh(now).await.map_err(failed)
    }

    /// Its keys, where they are fresh enough.
    pub(super) fn usable_keys(&self, now: DateTime<Utc>) -> Result<Arc<Fetched>, Refusal> {
        self.source.usable(now, self.issuer.grace)
    }

    /// The token is one of this issuer's access tokens. Gives back the generation of the keys that say so.
    pub(super) async fn verify(&self, token: &Compact<'_>, now: DateTime<Utc>) -> Result<u64, Refusal> {
        let types: &[&str] = if self.issuer.plain_jwt { &[ACCESS_TOKEN_TYPE, "jwt"] } else { &[ACCESS_TOKEN_TYPE] };
        token.expect_type(types, self.issuer.plain_jwt)?;
        if !self.issuer.algorithms.contains(&token.algorithm) {
            return Err(Refusal::AlgorithmNotOfIssuer { found: token.algorithm });
        }
        let mut fetched = self.usable_keys(now);
        if needs_fetch(&fetched, token) {
            self.source.refresh_if_due(now).await;
            fetched = self.usable_keys(now);
        }
        let fetched = fetched?;
        token.verify(fetched.keys.find(token.kid.as_deref())?)?;
        Ok(fetched.generation)
    }
}

/// Could a newer key set help? It could where there is none, or none that is fresh, or none with that key.
fn needs_fetch(fetched: &Result<Arc<Fetched>, Refusal>, token: &Compact<'_>) -> bool {
    match fetched {
        Ok(fetched) => matches!(fetched.keys.find(token.kid.as_deref()), Err(Refusal::KeyUnknown { .. })),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests;
