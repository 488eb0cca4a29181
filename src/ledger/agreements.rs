//! What became of agreements since they were granted or declared: suspended, resumed, revoked.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::AnyConnection;

use super::{Ledger, LedgerError, Standing, acts::note, bump, millis, revisions::ended_by_revisions, time};
use crate::identifiers::{AgreementId, ClientId};

/// What is done to an agreement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AgreementStep {
    Suspended,
    Resumed,
    Revoked,
}

impl AgreementStep {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Suspended => "suspended",
            Self::Resumed => "resumed",
            Self::Revoked => "revoked",
        }
    }

    /// How the agreement stands after it.
    pub const fn standing(self) -> Standing {
        match self {
            Self::Suspended => Standing::Suspended,
            Self::Resumed => Standing::InForce,
            Self::Revoked => Standing::Revoked,
        }
    }

    fn from_word(word: &str) -> Result<Self, LedgerError> {
        let known = [Self::Suspended, Self::Resumed, Self::Revoked];
        let found = known.into_iter().find(|step| step.as_str() == word);
        found.ok_or_else(|| LedgerError::Damaged { reason: format!("the word `{word}`") })
    }
}

impl Serialize for AgreementStep {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// One thing that was done to an agreement. Events are only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AgreementEvent {
    pub at: DateTime<Utc>,
    pub account: ClientId,
    pub step: AgreementStep,
    pub reason: String,
}

impl Ledger {
    /// Do to an agreement what `decide` makes of how it stands.
    pub async fn change_agreement<E: From<LedgerError>>(
        &self,
        id: &AgreementId,
        decide: impl FnOnce(Standing) -> Result<AgreementEvent, E> + Send,
    ) -> Result<(), E> {
        let action = "change an agreement";
        let mut change = self.write(action).await?;
        let events = events_of(&mut change, id).await?;
        let standing = events.last().map_or(Standing::InForce, |event| event.step.standing());
        let event = decide(standing)?;
        sqlx::query(
            "INSERT INTO agreement_events (agreement, position, at, account, step, reason) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(id.as_str())
        .bind(events.len() as i64 + 1)
        .bind(millis(event.at))
        .bind(event.account.as_str())
        .bind(event.step.as_str())
        .bind(event.reason.as_str())
        .execute(&mut *change)
        .await
        .map_err(LedgerError::failed(action))?;
        let act = format!("agreement {}", event.step.as_str());
        note(&mut change, event.account.as_str(), &act, id.as_str(), &event.reason, event.at).await?;
        bump(&mut change).await?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(())
    }

    /// Everything that was done to an agreement, in its order.
    pub async fn agreement_events(&self, id: &AgreementId) -> Result<Vec<AgreementEvent>, LedgerError> {
        let mut connection = self.pool.acquire().await.map_err(LedgerError::failed("read an agreement"))?;
        events_of(&mut connection, id).await
    }
}

type Row = (i64, String, String, String);

async fn events_of(connection: &mut AnyConnection, id: &AgreementId) -> Result<Vec<AgreementEvent>, LedgerError> {
    let rows: Vec<Row> =
        sqlx::query_as("SELECT at, account, step, reason FROM agreement_events WHERE agreement = $1 ORDER BY position")
            .bind(id.as_str())
            .fetch_all(connection)
            .await
            .map_err(LedgerError::failed("read what was done to an agreement"))?;
    let damaged = |error: crate::identifiers::IdentifierError| LedgerError::Damaged { reason: error.to_string() };
    rows.into_iter()
        .map(|(at, account, step, reason)| {
            let (account, step) = (account.parse().map_err(damaged)?, AgreementStep::from_word(&step)?);
            Ok(AgreementEvent { at: time(at)?, account, step, reason })
        })
        .collect()
}

/// The agreements that are suspended or revoked; one that a change of the catalogue has ended is revoked.
pub(super) async fn standings(connection: &mut AnyConnection) -> Result<Vec<(AgreementId, Standing)>, LedgerError> {
    let rows: Vec<(String, String)> = sqlx::query_as(
        "SELECT agreement, step FROM agreement_events AS one WHERE step <> 'resumed' AND position = \
         (SELECT MAX(position) FROM agreement_events AS other WHERE other.agreement = one.agreement)",
    )
    .fetch_all(&mut *connection)
    .await
    .map_err(LedgerError::failed("list suspended and revoked agreements"))?;
    let told = rows.into_iter().map(|(id, step)| {
        let id = id.parse().map_err(|_| LedgerError::Damaged { reason: format!("the agreement `{id}`") })?;
        Ok((id, AgreementStep::from_word(&step)?.standing()))
    });
    let mut standings = told.collect::<Result<Vec<_>, LedgerError>>()?;
    // Last, so that whatever was said of it before, an ended one stays ended.
    standings.extend(ended_by_revisions(connection).await?.into_iter().map(|id| (id, Standing::Revoked)));
    Ok(standings)
}
