//! A request as a door hands it in, and how its caller proves who it is.

use chrono::{DateTime, Utc};

use super::call::Question;
use crate::{
    federation::Forwarding,
    identifiers::{CallId, ClientId},
    policy::{Channel, Operation},
    problem::Problem,
    uplink::Presented,
};

/// How a caller proves who it is.
#[derive(Clone, Copy, Debug)]
pub enum Credential<'a> {
    Missing,
    /// An access token.
    Bearer(&'a str),
    /// The token of a call that another node forwards, as far as it holds.
    Forwarded(&'a Result<Forwarding, Problem>),
    /// A request that is signed in the manner of a platform above.
    Signed {
        request: &'a Presented<'a>,
        /// The same question as the body of this node's own door: what other nodes are sent.
        own_form: &'a [u8],
    },
    /// This node itself, in the name of a client that has filed the call, whose first answer was indeterminate.
    Filed {
        client: &'a ClientId,
        finishes: CallId,
    },
}

impl Credential<'_> {
    /// The door that takes it.
    pub fn channel(&self) -> Channel {
        match self {
            Self::Missing | Self::Bearer(_) => Channel::Api,
            Self::Forwarded(_) => Channel::Peer,
            Self::Signed { .. } => Channel::Uplink,
            Self::Filed { .. } => Channel::Recheck,
        }
    }

    /// The call that this one finishes.
    pub(super) fn finishes(&self) -> Option<CallId> {
        match self {
            Self::Filed { finishes, .. } => Some(*finishes),
            Self::Missing | Self::Bearer(_) | Self::Forwarded(_) | Self::Signed { .. } => None,
        }
    }
}

/// A request as a door hands it in. Time and the call's id come from outside.
#[derive(Clone, Debug)]
pub struct Incoming<'a> {
    pub call_id: CallId,
    pub operation: Operation,
    pub credential: Credential<'a>,
    /// The request's body, as it was sent.
    pub body: &'a [u8],
    /// The body's SHA-256.
    pub request_sha256: [u8; 32],
    /// What the door understood of the body, or why it did not.
    pub question: Result<Question, Problem>,
    pub received: DateTime<Utc>,
}
