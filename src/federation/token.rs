//! The token that goes with a forwarded call: for whom, through whom, for what purpose (RFC 8693, `act`).
//!
//! Signed by the node that forwards, for the one node that it is sent to, over the digest of the body that goes with it. It
//! gives no right: the node that receives it decides again.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::FederationError;
use crate::{
    identifiers::{CallId, CaseNo, ClientId, DepartmentId, ItemCode, NodeId, Roles},
    keys::{PublicKeys, SigningKey, jws},
};

/// What kind of JWS it is (RFC 8725 section 3.11).
const TYPE: &str = "forwarded-call+jwt";
/// How long a token is good. Longer than any call takes, so that a second try needs no new one.
pub const LIFE: TimeDelta = TimeDelta::seconds(30);
/// Longest token that is looked at.
const BYTES_MAX: usize = 4_096;
/// How many nodes a call may pass before it is answered: a city, the province, another city.
pub const HOPS_MAX: usize = 3;

/// Who acts, and for whom it does: the last node first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Actor {
    pub sub: NodeId,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<Box<Actor>>,
}

impl Actor {
    /// The nodes that the call has passed, the first one first; not longer than it may be, however long it is.
    fn chain(&self) -> Vec<NodeId> {
        let mut nodes = vec![self.sub.clone()];
        let mut next = self.act.as_deref();
        while let Some(actor) = next.filter(|_| nodes.len() <= HOPS_MAX) {
            nodes.push(actor.sub.clone());
            next = actor.act.as_deref();
        }
        nodes.reverse();
        nodes
    }

    fn of(chain: &[NodeId]) -> Option<Self> {
        let mut actor = None;
        for node in chain {
            actor = Some(Self { sub: node.clone(), act: actor.map(Box::new) });
        }
        actor
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Claims {
    iss: NodeId,
    aud: NodeId,
    /// The client, as the node knows it where the call came in.
    sub: ClientId,
    /// The call's id at the node that forwards.
    jti: CallId,
    iat: i64,
    exp: i64,
    act: Actor,
    department: DepartmentId,
    /// Of the person's account, with commas between them; none of a system.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    roles: String,
    item: ItemCode,
    #[serde(skip_serializing_if = "Option::is_none")]
    case: Option<CaseNo>,
    /// SHA-256 of the body, hexadecimal.
    request_sha256: String,
    /// How long the answer is waited for, in milliseconds.
    budget_ms: u64,
}

/// What a node says of a call that it forwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forwarding {
    /// The nodes that the call has passed, this one last.
    pub chain: Vec<NodeId>,
    pub client: ClientId,
    pub department: DepartmentId,
    /// None of a system; of a person's account, what the node says at which it is registered.
    pub roles: Roles,
    pub item: ItemCode,
    pub case: Option<CaseNo>,
    pub call_id: CallId,
    pub request_sha256: [u8; 32],
    pub budget_ms: u64,
}

impl Forwarding {
    /// The node that the call came from.
    pub fn from(&self) -> Option<&NodeId> {
        self.chain.last()
    }

    /// The node at which the caller is registered.
    pub fn origin(&self) -> Option<&NodeId> {
        self.chain.first()
    }

    /// The token for one node.
    pub fn sign(&self, to: &NodeId, key: &SigningKey, now: DateTime<Utc>) -> Result<String, FederationError> {
        let act = Actor::of(&self.chain).ok_or(FederationError::Token { reason: "nobody forwards it".to_owned() })?;
        let claims = Claims {
            iss: act.sub.clone(),
            aud: to.clone(),
            sub: self.client.clone(),
            jti: self.call_id,
            iat: now.timestamp(),
            exp: (now + LIFE).timestamp(),
            act,
            department: self.department.clone(),
            roles: self.roles.to_string(),
            item: self.item.clone(),
            case: self.case.clone(),
            request_sha256: hex::encode(self.request_sha256),
            budget_ms: self.budget_ms,
        };
        let payload = serde_json::to_vec(&claims).map_err(|error| refused(error.to_string()))?;
        Ok(jws::sign(key, TYPE, &payload))
    }

    /// What the token says, if `from` has signed it for `to`, now, over this body.
    pub fn verify(
        token: &str,
        (from, to): (&NodeId, &NodeId),
        keys: &PublicKeys,
        request_sha256: [u8; 32],
        (now, skew): (DateTime<Utc>, TimeDelta),
    ) -> Result<Self, FederationError> {
        if token.len() > BYTES_MAX {
            return Err(refused(format!("it has more than {BYTES_MAX} characters")));
        }
        let payload = jws::verify(token, TYPE, keys).map_err(|error| match error {
            jws::JwsError::UnknownKey => FederationError::UnknownKey { node: from.clone() },
            other => refused(other.to_string()),
        })?;
        let claims: Claims = serde_json::from_slice(&payload).map_err(|error| refused(error.to_string()))?;
        if claims.iss != *from || claims.act.sub != *from {
            return Err(refused(format!("it was issued by {}, and sent by {from}", claims.iss)));
        }
        if claims.aud != *to {
            return Err(refused(format!("it is meant for {}", claims.aud)));
        }
        let (issued, expires) = (claims.iat, claims.exp);
        let (early, late) = ((now + skew).timestamp() < issued, (now - skew).timestamp() >= expires);
        if early || late || expires - issued > LIFE.num_seconds() {
            return Err(refused("it is not of this time. Compare the clocks of the two nodes".to_owned()));
        }
        if claims.request_sha256 != hex::encode(request_sha256) {
            return Err(refused("it goes with another body".to_owned()));
        }
        let chain = claims.act.chain();
        if chain.len() > HOPS_MAX || chain.contains(to) {
            return Err(FederationError::Loop);
        }
        Ok(Self {
            chain,
            client: claims.sub,
            department: claims.department,
            roles: claims.roles.parse().map_err(|_| refused("it names a role that there is not".to_owned()))?,
            item: claims.item,
            case: claims.case,
            call_id: claims.jti,
            request_sha256,
            budget_ms: claims.budget_ms,
        })
    }
}

fn refused(reason: String) -> FederationError {
    FederationError::Token { reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node(id: &str) -> NodeId {
        id.parse().unwrap()
    }

    fn forwarding(chain: &[&str]) -> Forwarding {
        Forwarding {
            chain: chain.iter().map(|id| node(id)).collect(),
            client: "gz-hukou-window".parse().unwrap(),
            department: "gz-administrative-approval".parse().unwrap(),
            roles: Roles::default(),
            item: "11440100MB9YYY997R3440101001000".parse().unwrap(),
            case: Some("CASE-1".parse().unwrap()),
            call_id: CallId::new(uuid::Uuid::from_u128(7)),
            request_sha256: [7; 32],
            budget_ms: 900,
        }
    }

    #[test]
    fn a_token_is_good_for_one_body_at_one_node_for_a_while() {
        let (key, now) = (SigningKey::generate().unwrap(), "2026-11-27T02:00:00Z".parse::<DateTime<Utc>>().unwrap());
        let keys = PublicKeys::new([key.public()]);
        let (city, province, other) = (node("guangzhou"), node("guangdong"), node("shenzhen"));
        let skew = TimeDelta::seconds(5);
        let sent = forwarding(&["guangzhou"]);
        let token = sent.sign(&province, &key, now).unwrap();
        let check = |way: (&NodeId, &NodeId), body, at| Forwarding::verify(&token, way, &keys, body, (at, skew));

        assert_eq!(check((&city, &province), [7; 32], now).unwrap(), sent);
        assert!(check((&city, &province), [7; 32], now + TimeDelta::seconds(34)).is_ok());
        for (refused, expect) in [
            (check((&city, &other), [7; 32], now), "meant for guangdong"),
            (check((&other, &province), [7; 32], now), "sent by shenzhen"),
            (check((&city, &province), [8; 32], now), "another body"),
            (check((&city, &province), [7; 32], now + TimeDelta::seconds(36)), "not of this time"),
            (check((&city, &province), [7; 32], now - TimeDelta::seconds(6)), "not of this time"),
        ] {
            let error = refused.unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        }
        let stranger = PublicKeys::new([SigningKey::generate().unwrap().public()]);
        let unknown = Forwarding::verify(&token, (&city, &province), &stranger, [7; 32], (now, skew));
        assert!(matches!(unknown, Err(FederationError::UnknownKey { .. })));
    }

    #[test]
    fn a_call_that_comes_back_or_has_gone_too_far_is_refused() {
        let (key, now) = (SigningKey::generate().unwrap(), Utc::now());
        let keys = PublicKeys::new([key.public()]);
        let arrives = |chain: &[&str], to: &str| {
            let sent = forwarding(chain);
            let token = sent.sign(&node(to), &key, now).unwrap();
            let way = (sent.from().unwrap(), &node(to));
            Forwarding::verify(&token, way, &keys, [7; 32], (now, TimeDelta::zero())).map(|got| got.chain)
        };
        assert_eq!(arrives(&["a", "b", "c"], "d").unwrap(), forwarding(&["a", "b", "c"]).chain);
        assert!(matches!(arrives(&["a", "b"], "a"), Err(FederationError::Loop)));
        assert!(matches!(arrives(&["a", "b", "c", "d"], "e"), Err(FederationError::Loop)));
    }
}
