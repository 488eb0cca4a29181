//! The ledger: what must be transactional. Accounts, acts, agreements, applications, revisions, suspensions.
//!
//! Floor 1: may use `identifiers`, `problem` and `catalog` types. One store for all of it: SQLite inside, or PostgreSQL
//! by URL for several replicas; the same statements run on both, one file of queries per concern. What a method has
//! returned is on the disk. The schema grows by `migrations/{sqlite,postgres}/*.sql`; a ledger that a newer version of the
//! program has written is left alone.
//!
//! ```text
//! write() ─> one writer at a time ─> statements, note(), bump() ─> commit
//!                                                          └─> stamp() moves ─> nodes read again what calls are decided by
//! ```

mod acts;
mod agreement;
mod agreements;
mod alerts;
mod application;
mod applications;
mod assertions;
mod client_keys;
mod clients;
mod deliveries;
mod feed;
mod guesses;
mod harvest;
mod members;
mod objections;
mod open;
mod policy_sets;
mod ratings;
mod rechecks;
mod revisions;
mod suspensions;
mod watch;
mod webhooks;

use chrono::{DateTime, Utc};
use sqlx::{Any, AnyPool, Transaction};

pub use acts::{Act, Actor, ON_SITE};
pub use agreement::{Agreement, Budget, Standing};
pub use agreements::{AgreementEvent, AgreementStep};
pub use alerts::{Alert, AlertFilter, AlertState, Suspicion};
pub use application::{Application, ApplicationState, Clock, Event, EventDetail, RejectionGround, Step, Terms};
pub use applications::{Agreed, AgreedMark, ApplicationFilter, Dossier, Filing};
pub use client_keys::ClientKeys;
pub use clients::{Client, ClientStatus, Registration};
pub use deliveries::{Delivery, DeliveryFilter, DeliveryState};
pub use feed::{FeedEntry, FeedMark, NamedEntry};
pub use guesses::Guess;
pub use harvest::{Confirmed, Harvested, Source, Taken};
pub use members::Member;
pub use objections::{Decided, Filed, Objection, ObjectionFilter, ObjectionMark, ObjectionState};
pub use policy_sets::{By, KeptPolicySet, NewPolicySet, PolicySetState};
pub use ratings::{Rating, RatingSummary};
pub use rechecks::{NewRecheck, Recheck, RecheckFilter, RecheckState, Said};
pub use revisions::{NewRevision, Publishing, Review, Revision, RevisionState};
pub use suspensions::{Suspension, Suspensions, Target};
pub use watch::Remembered;
pub use webhooks::Webhook;

use crate::{identifiers::ClientId, problem::Code};

/// Why the ledger could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    #[error("the ledger `{place}` could not be opened")]
    Unopenable {
        place: String,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    #[error(
        "the ledger `{place}` has schema {found}, this program knows up to {known}. \
         Run the newer version of the program that wrote it"
    )]
    SchemaNewer { place: String, found: i64, known: i64 },
    #[error(
        "the ledger `{place}` was not made by this program: its schema {version} differs. \
         Name another file, or restore the ledger from a backup"
    )]
    SchemaForeign { place: String, version: i64 },
    #[error("the ledger could not {action}")]
    Failed {
        /// What was tried, as a verb: `list the clients`.
        action: &'static str,
        #[source]
        source: sqlx::Error,
    },
    #[error("the ledger holds something that cannot be read: {reason}")]
    Damaged { reason: String },
    #[error("client `{client}` is registered already. Replace its keys, or choose another name")]
    ClientExists { client: ClientId },
    #[error("client `{client}` is not registered")]
    ClientUnknown { client: ClientId },
    #[error("say why, in 1 to {chars_max} characters")]
    Reason { chars_max: usize },
    #[error("the name of a client has 1 to {chars_max} characters, none of them control characters")]
    ClientName { chars_max: usize },
    #[error(
        "key {position} holds private key material (`{member}`). Register the public half only, and replace this key"
    )]
    PrivateKey { position: usize, member: &'static str },
    #[error("not a JWK set of public keys: {reason}")]
    NotAKeySet { reason: String },
}

impl LedgerError {
    pub fn code(&self) -> Code {
        match self {
            Self::Unopenable { .. }
            | Self::SchemaNewer { .. }
            | Self::SchemaForeign { .. }
            | Self::Failed { .. }
            | Self::Damaged { .. } => Code::StorageFailed,
            Self::ClientExists { .. }
            | Self::ClientUnknown { .. }
            | Self::ClientName { .. }
            | Self::Reason { .. }
            | Self::PrivateKey { .. }
            | Self::NotAKeySet { .. } => Code::InvalidValue,
        }
    }

    fn failed(action: &'static str) -> impl FnOnce(sqlx::Error) -> Self {
        move |source| Self::Failed { action, source }
    }

    fn unopenable(place: &str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Unopenable { place: place.to_owned(), source: source.into() }
    }
}

/// An open ledger. Cloning it is cheap and gives the same ledger.
#[derive(Clone, Debug)]
pub struct Ledger {
    pool: AnyPool,
    kind: Kind,
}

/// Which database holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Sqlite,
    Postgres,
}

/// A change under way; dropped without `commit`, nothing of it has happened.
type Change = Transaction<'static, Any>;

impl Ledger {
    /// Begin a change. Writers take turns on both databases, so that what one has read stays true until it commits.
    async fn write(&self, action: &'static str) -> Result<Change, LedgerError> {
        let failed = || LedgerError::failed(action);
        match self.kind {
            // Immediate: a transaction that only later turns out to write could be refused instead of waiting its turn.
            Kind::Sqlite => self.pool.begin_with("BEGIN IMMEDIATE").await.map_err(failed()),
            Kind::Postgres => {
                let mut change = self.pool.begin().await.map_err(failed())?;
                sqlx::query("SELECT number FROM stamp FOR UPDATE").execute(&mut *change).await.map_err(failed())?;
                Ok(change)
            }
        }
    }

    /// A number that moves with every change of what calls are decided by, made by this process or another.
    pub async fn stamp(&self) -> Result<i64, LedgerError> {
        let row: (i64,) = sqlx::query_as("SELECT number FROM stamp")
            .fetch_one(&self.pool)
            .await
            .map_err(LedgerError::failed("read the stamp"))?;
        Ok(row.0)
    }

    /// Finish what is under way and close the store. Dropping the last clone does the same, only later.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

/// Say that a change concerns calls: nodes read again what they decide by as soon as it is committed.
async fn bump(change: &mut Change) -> Result<(), LedgerError> {
    sqlx::query("UPDATE stamp SET number = number + 1")
        .execute(&mut **change)
        .await
        .map_err(LedgerError::failed("move the stamp"))?;
    Ok(())
}

/// A time as the ledger keeps it.
fn millis(time: DateTime<Utc>) -> i64 {
    time.timestamp_millis()
}

/// A time that the ledger has kept.
fn time(millis: i64) -> Result<DateTime<Utc>, LedgerError> {
    DateTime::from_timestamp_millis(millis).ok_or_else(|| LedgerError::Damaged { reason: format!("the time {millis}") })
}

#[cfg(test)]
pub(crate) mod fixture;
