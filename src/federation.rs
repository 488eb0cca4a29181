//! Other nodes: who they are, where records are kept, and how they are asked.
//!
//! Floor 3: may use `identifiers`, `problem`, `catalog`, `storage`, `keys`, `policy` (operations) and `audit` (receipts).
//! A forwarded call is the caller's own body with a signed token beside it that says for whom and through whom it comes;
//! the node that receives it decides again, by its own rules. Start reading at [`Federation::ask`].
//!
//! ```text
//!  place: whom to ask ──> ask: holders, copies, deadlines, breakers ──> peers: mutual TLS ──> the other node's nine steps
//!                                      └─ told: answered, refused, late, unreachable <── receipt verified ──┘
//!  directory: who is a node at all, signed by the one above; pulled, kept, good for a while without it
//! ```
//!
//! Promises: an answer whose receipt does not verify is no answer; a node that is not in the directory is nobody; a
//! forwarded call that comes twice is answered once.

pub mod ask;
mod breaker;
mod card;
mod directory;
mod index;
mod peers;
mod place;
mod repeats;
mod service;
mod statements;
mod tls;
mod token;
mod told;

pub use ask::{Failure, Manner};
pub use breaker::{Breakers, State};
pub use card::{Card, Jwks, PROTOCOL, Protocol, Thumbprint};
pub use directory::{Directory, Held, Membership};
pub use index::{About, BYTES_MAX, Index, Indexes, KeyHasher};
pub use peers::{Peers, fetch, paths};
pub use place::{Asking, Route, route};
pub use repeats::{Key, Repeated, Repeats};
pub use service::{Errand, Federation, Handed, Means, Pace};
pub use statements::{Counts, NoCounts};
pub use tls::{Certificate, server};
pub use token::{Forwarding, HOPS_MAX, LIFE};
pub use told::{Answered, End, Told};

use crate::{identifiers::NodeId, problem::Code, storage::StorageError};

/// Why something between nodes did not work.
#[derive(Debug, thiserror::Error)]
pub enum FederationError {
    #[error("the card is not usable: {reason}")]
    Card { reason: String },
    #[error("the directory is not usable: {reason}")]
    Directory { reason: String },
    #[error("this node issues the directory itself")]
    IsIssuer,
    #[error("the certificate of this node is not usable: {reason}")]
    Certificate { reason: String },
    #[error("`{path}` could not be read or written")]
    File {
        path: String,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error("`{node}` is not in the directory of nodes")]
    Stranger { node: NodeId },
    #[error("the directory of nodes is too old to go by")]
    Stale,
    #[error("the token of the forwarded call is signed by a key that `{node}` is not known to have")]
    UnknownKey { node: NodeId },
    #[error("the token of the forwarded call does not hold: {reason}")]
    Token { reason: String },
    #[error("the call has passed too many nodes, or this one before")]
    Loop,
    #[error("`{node}` could not be asked")]
    Unreachable { node: NodeId },
}

impl FederationError {
    pub fn code(&self) -> Code {
        match self {
            Self::Card { .. } | Self::Directory { .. } | Self::IsIssuer => Code::InvalidValue,
            Self::Certificate { .. } => Code::ConfigInvalid,
            Self::File { .. } | Self::Storage(_) => Code::StorageFailed,
            Self::Stranger { .. } | Self::Stale => Code::PeerUnknown,
            Self::UnknownKey { .. } | Self::Token { .. } => Code::PeerTokenInvalid,
            Self::Loop => Code::ForwardingLoop,
            Self::Unreachable { .. } => Code::PeerUnreachable,
        }
    }
}
