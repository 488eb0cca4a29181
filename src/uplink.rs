//! The platforms above the province's own: calls in their manner, answered and made.
//!
//! Floor 3: may use `identifiers`, `problem`, `catalog` (how declared files are read), `config`, `keys` and `verification`.
//! Two manners: the national exchange platform's (`gjgxjhpt_*` headers) and the provincial gateway's (`x-tif-*`). Inbound,
//! a [`Desk`] proves who has signed a request ([`Presented::prove`]); what may be answered is decided on the ordinary road.
//! Outbound, an [`Upstream`] asks another platform. Only `ask` and `read` do I/O.
//!
//! Promises: an outage, a missing record and a wrong claim never become one another on the way through a code table; a code
//! that is in no table is `indeterminate`; a signed request is answered once.
//!
//! ```text
//! uplink.yaml ──read──> Desk ──prove──> client      (sign, secret, replay)      road ──> Word ──say──> code
//!                  └──> Upstream ──ask──> code ──hear──> Word ──> outcome
//! ```

mod ask;
mod proof;
mod raw;
mod read;
mod replay;
mod secret;
mod service;
pub mod sign;
mod vocabulary;
mod word;

use std::{io, path::PathBuf};

use schemars::JsonSchema;
use serde::Deserialize;

pub use ask::{ENVELOPE_FAILED, ENVELOPE_NOT_LISTED, ENVELOPE_OK, Heard, Upstream};
pub use proof::{Carried, Desk, Presented, Proven, SealedSecret, Unproven};
pub use read::{json_schema, load};
pub use service::{Asked, NotAskable, Service, Wanted, in_json};
pub use vocabulary::{Ambiguity, Vocabulary};
pub use word::{Kind, Word};

use crate::{
    catalog::{Complaint, complaint::Summary},
    keys::KeyError,
    problem::Code,
};

/// Whose manner a call has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Manner {
    /// The national exchange platform (国家数据共享交换平台).
    National,
    /// A provincial gateway of the TIF kind, `/ebus/...`.
    Tif,
}

impl Manner {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::National => "national",
            Self::Tif => "tif",
        }
    }
}

/// Everything that one file declares. Without a file: nobody calls, nobody is asked.
#[derive(Debug, Default)]
pub struct Uplink {
    pub desk: Desk,
    pub upstreams: Vec<Upstream>,
}

impl Uplink {
    pub fn upstream(&self, name: &str) -> Option<&Upstream> {
        self.upstreams.iter().find(|upstream| upstream.name() == name)
    }
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum UplinkError {
    #[error("`{}`, which `uplink.file` names, cannot be read", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Never empty.
    #[error("{}", Summary { what: "the declarations in `uplink.file`", complaints })]
    Inconsistent { complaints: Vec<Complaint> },
    #[error("no client for other platforms could be made: {reason}")]
    Client { reason: String },
}

impl UplinkError {
    pub fn code(&self) -> Code {
        match self {
            Self::File { .. } | Self::Inconsistent { .. } => Code::ConfigInvalid,
            Self::Key(error) => error.code(),
            Self::Client { .. } => Code::Internal,
        }
    }
}

#[cfg(test)]
mod tests;
