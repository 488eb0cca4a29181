//! What the node calls itself in tokens, and for how long things hold.

use chrono::TimeDelta;

use super::IdentityError;

/// Longest token or assertion that is looked at, in bytes: room for an RSA-signed token with some claims, no more.
pub(super) const TOKEN_BYTES_MAX: usize = 8 * 1024;
/// Longest `jti`, in characters.
pub(super) const JTI_CHARS_MAX: usize = 128;
/// Most that clocks may be taken to differ.
const SKEW_MAX: TimeDelta = TimeDelta::minutes(5);
/// Longest life of our own tokens: what is stolen is soon worthless.
const TOKEN_LIFE_MAX: TimeDelta = TimeDelta::hours(1);
/// Furthest ahead that assertions may ever be allowed to expire: the replay guard has to remember each so long.
const ASSERTION_LIFE_MAX: TimeDelta = TimeDelta::minutes(10);

/// What the node calls itself in tokens, and for how long things hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRules {
    /// `iss` of our tokens: the node's public URL.
    pub issuer: String,
    /// `aud` of every token that is meant for this node.
    pub audience: String,
    /// Where assertions are sent; with the issuer, what their `aud` may be.
    pub token_endpoint: String,
    /// How long our tokens live.
    pub token_life: TimeDelta,
    /// How far ahead an assertion may expire.
    pub assertion_life_max: TimeDelta,
    /// By how much the clocks of others may differ from ours.
    pub skew: TimeDelta,
    /// Verified tokens remembered at once; one takes about 300 bytes, and a client has one or two at a time.
    pub remembered_max: usize,
}

impl TokenRules {
    /// Rules with the usual times: tokens and assertions of 300 s, 30 s of clock difference.
    pub fn new(issuer: impl Into<String>, audience: impl Into<String>, token_endpoint: impl Into<String>) -> Self {
        Self {
            issuer: issuer.into(),
            audience: audience.into(),
            token_endpoint: token_endpoint.into(),
            token_life: TimeDelta::seconds(300),
            assertion_life_max: TimeDelta::seconds(300),
            skew: TimeDelta::seconds(30),
            remembered_max: 100_000,
        }
    }

    /// Refuse rules under which tokens could be confused or would never work.
    pub(super) fn check(&self) -> Result<(), IdentityError> {
        let bad = |reason: &str| Err(IdentityError::Rules { reason: reason.to_owned() });
        if self.issuer.is_empty() || self.audience.is_empty() || self.token_endpoint.is_empty() {
            return bad("issuer, audience and token endpoint must be given");
        }
        if self.token_life < TimeDelta::seconds(1) || self.token_life > TOKEN_LIFE_MAX {
            return bad("tokens live from 1 second to 1 hour");
        }
        if self.skew < TimeDelta::zero() || self.skew > SKEW_MAX {
            return bad("clocks may differ by 0 to 5 minutes");
        }
        if self.assertion_life_max < TimeDelta::seconds(1) || self.assertion_life_max > ASSERTION_LIFE_MAX {
            return bad("assertions may expire from 1 second to 10 minutes ahead");
        }
        Ok(())
    }
}
