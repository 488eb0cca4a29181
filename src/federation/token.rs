//! The token that goes with a forwarded call: for whom, through whom, for what purpose (RFC 8693, `act`).
//!
//! Signed by the node that forwards, for the one node that it is sent to, over the digest of the body that goes with it. Who
//! sends a call on hands on the token that it came with, too: for whom it is made, the node says at which they are registered,
//! and nobody else. A token gives no right: the node that receives it decides again.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::FederationError;
use crate::{
    identifiers::{CallId, CaseNo, ClientId, DepartmentId, ItemCode, NodeId, Official, Roles},
    keys::{PublicKeys, SigningKey, jws},
};

/// What kind of JWS it is (RFC 8725 section 3.11).
const TYPE: &str = "forwarded-call+jwt";
/// How long a token is good. Longer than any call takes, so that a second try needs no new one.
pub const LIFE: TimeDelta = TimeDelta::seconds(30);
/// Longest token that is looked at: three of them, one in the other, take less than 4 KiB.
const BYTES_MAX: usize = 8_192;
const NO_OFFICIAL: &str = "the name of the operator is none";
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
    /// The name of the official's account, which nothing but a token and a body carries.
    #[serde(skip_serializing_if = "Option::is_none")]
    operator: Option<String>,
    /// SHA-256 of the body, hexadecimal.
    request_sha256: String,
    /// How long the answer is waited for, in milliseconds.
    budget_ms: u64,
    /// The token that the call came with, at a node that sends it on (RFC 8693 section 2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    subject_token: Option<String>,
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
    /// Who works on the case.
    pub operator: Option<Official>,
    pub call_id: CallId,
    pub request_sha256: [u8; 32],
    pub budget_ms: u64,
    /// The token that the call came with; none at the node at which the caller is registered.
    pub came_with: Option<String>,
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
            operator: self.operator.as_ref().map(|official| official.as_str().to_owned()),
            request_sha256: hex::encode(self.request_sha256),
            budget_ms: self.budget_ms,
            subject_token: self.came_with.clone(),
        };
        let payload = serde_json::to_vec(&claims).map_err(|error| refused(error.to_string()))?;
        Ok(jws::sign(key, TYPE, &payload))
    }

    /// What the token says, if `from` has signed it for `to`, now, over this body, and each node before has said the same.
    /// `keys_of`: the keys of a node that is in the directory.
    pub fn verify<'a>(
        token: &str,
        (from, to): (&NodeId, &NodeId),
        keys_of: &dyn Fn(&NodeId) -> Option<&'a PublicKeys>,
        request_sha256: [u8; 32],
        (now, skew): (DateTime<Utc>, TimeDelta),
    ) -> Result<Self, FederationError> {
        if token.len() > BYTES_MAX {
            return Err(refused(format!("it has more than {BYTES_MAX} characters")));
        }
        let keys = keys_of(from).ok_or_else(|| FederationError::Stranger { node: from.clone() })?;
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
        let said = Self {
            chain,
            client: claims.sub,
            department: claims.department,
            roles: claims.roles.parse().map_err(|_| refused("it names a role that there is not".to_owned()))?,
            item: claims.item,
            case: claims.case,
            operator: claims
                .operator
                .map(|name| name.parse())
                .transpose()
                .map_err(|_| refused(NO_OFFICIAL.to_owned()))?,
            call_id: claims.jti,
            request_sha256,
            budget_ms: claims.budget_ms,
            came_with: None,
        };
        if let Some(before) = said.chain.len().checked_sub(2).map(|at| &said.chain[at]) {
            let text = claims.subject_token.as_deref();
            let text = text.ok_or_else(|| refused(format!("it does not carry the token that {before} has signed")))?;
            let earlier = Self::verify(text, (before, from), keys_of, request_sha256, (now, skew))?;
            if !earlier.is_continued_by(&said) {
                return Err(refused(format!("it says other things of the caller than {before} has signed")));
            }
        }
        Ok(Self { came_with: Some(token.to_owned()), ..said })
    }

    /// Does the next node say the same of the caller and its purpose?
    fn is_continued_by(&self, next: &Self) -> bool {
        let of = |it: &Self| {
            let Self { client, department, roles, item, case, operator, .. } = it.clone();
            (client, department, roles, item, case, operator)
        };
        next.chain.strip_prefix(self.chain.as_slice()).is_some_and(|rest| rest.len() == 1) && of(self) == of(next)
    }
}

fn refused(reason: String) -> FederationError {
    FederationError::Token { reason }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

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
            operator: Some("li.na".parse().unwrap()),
            call_id: CallId::new(uuid::Uuid::from_u128(7)),
            request_sha256: [7; 32],
            budget_ms: 900,
            came_with: None,
        }
    }

    /// Nodes with a key each.
    struct Keys(BTreeMap<NodeId, (SigningKey, PublicKeys)>);

    impl Keys {
        fn of(ids: &[&str]) -> Self {
            let made = ids.iter().map(|id| {
                let key = SigningKey::generate().unwrap();
                let public = PublicKeys::new([key.public()]);
                (node(id), (key, public))
            });
            Self(made.collect())
        }

        fn sign(&self, forwarding: &Forwarding, to: &str, now: DateTime<Utc>) -> String {
            forwarding.sign(&node(to), &self.0[forwarding.from().unwrap()].0, now).unwrap()
        }

        fn verify(
            &self,
            token: &str,
            (from, to): (&str, &str),
            body: [u8; 32],
            now: DateTime<Utc>,
        ) -> Result<Forwarding, FederationError> {
            let keys_of = |node: &NodeId| self.0.get(node).map(|(_, public)| public);
            Forwarding::verify(token, (&node(from), &node(to)), &keys_of, body, (now, TimeDelta::seconds(5)))
        }

        /// A call that passes these nodes, each of which hands on what it came with; what the last one is told.
        fn pass(&self, ids: &[&str], now: DateTime<Utc>) -> Result<Forwarding, FederationError> {
            let mut came = Ok(forwarding(&[]));
            for (passed, way) in ids.windows(2).enumerate() {
                let sent = Forwarding { chain: forwarding(&ids[..=passed]).chain, ..came? };
                came = self.verify(&self.sign(&sent, way[1], now), (way[0], way[1]), [7; 32], now);
            }
            came
        }
    }

    #[test]
    fn a_token_is_good_for_one_body_at_one_node_for_a_while() {
        let now = "2026-11-27T02:00:00Z".parse::<DateTime<Utc>>().unwrap();
        let keys = Keys::of(&["guangzhou", "guangdong", "shenzhen"]);
        let sent = forwarding(&["guangzhou"]);
        let token = keys.sign(&sent, "guangdong", now);
        let check = |way, body, at| keys.verify(&token, way, body, at);
        let way = ("guangzhou", "guangdong");

        let came = check(way, [7; 32], now).unwrap();
        assert_eq!(came, Forwarding { came_with: Some(token.clone()), ..sent });
        assert!(check(way, [7; 32], now + TimeDelta::seconds(34)).is_ok());
        for (refused, expect) in [
            (check(("guangzhou", "shenzhen"), [7; 32], now), "meant for guangdong"),
            (check(way, [8; 32], now), "another body"),
            (check(way, [7; 32], now + TimeDelta::seconds(36)), "not of this time"),
            (check(way, [7; 32], now - TimeDelta::seconds(6)), "not of this time"),
        ] {
            let error = refused.unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        }
        let others = check(("shenzhen", "guangdong"), [7; 32], now);
        assert!(matches!(others, Err(FederationError::UnknownKey { .. })), "{others:?}");
        let stranger = check(("zhuhai", "guangdong"), [7; 32], now);
        assert!(matches!(stranger, Err(FederationError::Stranger { .. })), "{stranger:?}");
        // Signed by the sender, who says that another has issued it.
        let claims = jws::verify(&token, TYPE, &keys.0[&node("guangzhou")].1).unwrap();
        let forged = jws::sign(&keys.0[&node("shenzhen")].0, TYPE, &claims);
        let error = keys.verify(&forged, ("shenzhen", "guangdong"), [7; 32], now).unwrap_err().to_string();
        assert!(error.contains("issued by guangzhou"), "{error}");
    }

    #[test]
    fn a_call_that_comes_back_or_has_gone_too_far_is_refused() {
        let (keys, now) = (Keys::of(&["a", "b", "c", "d", "e"]), Utc::now());
        let came = keys.pass(&["a", "b", "c", "d"], now).unwrap();
        assert_eq!(came.chain, forwarding(&["a", "b", "c"]).chain);
        assert!(came.came_with.unwrap().len() < BYTES_MAX / 2);
        assert!(matches!(keys.pass(&["a", "b", "a"], now), Err(FederationError::Loop)));
        assert!(matches!(keys.pass(&["a", "b", "c", "d", "e"], now), Err(FederationError::Loop)));
    }

    #[test]
    fn who_sends_a_call_on_says_nothing_of_the_caller_that_its_own_node_has_not_signed() {
        let (keys, now) = (Keys::of(&["guangzhou", "guangdong", "shenzhen"]), Utc::now());
        let own = keys.sign(&forwarding(&["guangzhou"]), "guangdong", now);
        let came = keys.verify(&own, ("guangzhou", "guangdong"), [7; 32], now).unwrap();
        let on = Forwarding { chain: forwarding(&["guangzhou", "guangdong"]).chain, ..came };
        let arrives = |sent: Forwarding| {
            keys.verify(&keys.sign(&sent, "shenzhen", now), ("guangdong", "shenzhen"), [7; 32], now)
                .map_err(|error| error.to_string())
        };
        assert_eq!(arrives(on.clone()).unwrap().department, on.department);
        type Lie = fn(&mut Forwarding);
        let lies: [(Lie, &str); 8] = [
            (|it| it.came_with = None, "does not carry the token"),
            (|it| it.came_with = Some("no.token.atall".to_owned()), "does not hold"),
            (|it| it.client = "other".parse().unwrap(), "says other things"),
            (|it| it.department = "gd-health".parse().unwrap(), "says other things"),
            (|it| it.roles = "auditor".parse().unwrap(), "says other things"),
            (|it| it.item = "11440100MB9YYY997R3440101002000".parse().unwrap(), "says other things"),
            (|it| it.case = None, "says other things"),
            (|it| it.operator = None, "says other things"),
        ];
        for (lie, expect) in lies {
            let mut lied = on.clone();
            lie(&mut lied);
            let error = arrives(lied).unwrap_err();
            assert!(error.contains(expect), "{error}");
        }
        // A token that the caller's node has signed for somebody else, or over another body, is no proof either.
        for earlier in [
            keys.sign(&forwarding(&["guangzhou"]), "shenzhen", now),
            keys.sign(&Forwarding { request_sha256: [8; 32], ..forwarding(&["guangzhou"]) }, "guangdong", now),
            keys.sign(&forwarding(&["guangdong"]), "guangdong", now),
        ] {
            arrives(Forwarding { came_with: Some(earlier), ..on.clone() }).unwrap_err();
        }
    }
}
