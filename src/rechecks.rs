//! Re-checks: a call that was answered `indeterminate` is finished later, and its client told by a signed webhook.
//!
//! Floor 3: may use `audit` (receipts), `keys`, `ledger`, `config` and `storage`. Here is what
//! a re-check is checked against, how what is kept of it is sealed, how long one waits between two tries, and how a
//! delivery is signed and sent. The call itself goes its nine steps like any other: whoever has the clock
//! (`http/rechecks.rs`) puts it on the road again, in the name of the client that filed it.
//!
//! ```text
//! receipt + body ─ examined ─> waiting ─ tried, put off, tried ... ─> settled | refused | expired ─> delivery
//!                   sealed       └─> cancelled                         body erased                     └ signed, sent, dead
//! ```

mod filing;
mod message;
mod pace;
mod seal;
mod send;
mod webhook;

pub use filing::{Examined, NewFiling, examine};
pub use message::{DELIVERY_HEADER, Message};
pub use pace::{passes_by_itself, pause};
pub use seal::{Part, Sealer};
pub use send::Courier;
pub use webhook::address;

use std::path::PathBuf;

use crate::{problem::Code, storage::StorageError};

/// Why the node cannot keep re-checks.
#[derive(Debug, thiserror::Error)]
pub enum RechecksError {
    #[error(
        "the secret file `{}` is damaged. Restore it from the backup; without it the re-checks that wait are lost: \
         then remove it, and the node makes another one", .0.display()
    )]
    Secret(PathBuf),
    #[error("no randomness for a secret")]
    Randomness,
    #[error("no client for webhooks: {reason}")]
    Courier { reason: String },
    #[error("something that was sealed for a re-check cannot be opened")]
    Sealed,
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl RechecksError {
    pub fn code(&self) -> Code {
        match self {
            Self::Secret(_) => Code::ConfigInvalid,
            Self::Randomness | Self::Courier { .. } => Code::Internal,
            Self::Sealed => Code::StorageFailed,
            Self::Storage(error) => error.code(),
        }
    }
}
