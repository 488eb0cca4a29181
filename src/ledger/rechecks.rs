//! Calls that are finished later: what waits, what was claimed for a try, what came of it.
//!
//! A claim is a lease: it puts the next try off by the time after which this one counts as lost, and counts it. Whoever
//! comes back after that finds that somebody else has counted on, and changes nothing. What is sealed is sealed above;
//! here it is bytes.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Change, Ledger, LedgerError, deliveries, millis, time};
use crate::identifiers::{CallId, ClientId, DeliveryId, RecheckId};

/// What became of a re-check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RecheckState {
    Waiting,
    /// There is an answer that asking again would not change.
    Settled,
    /// The call was refused, and would be again.
    Refused,
    /// Its time was over; the last answer was as indeterminate as the first.
    Expired,
    /// Its client no longer wants it.
    Cancelled,
}

impl RecheckState {
    pub const ALL: &'static [Self] = &[Self::Waiting, Self::Settled, Self::Refused, Self::Expired, Self::Cancelled];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Settled => "settled",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.as_str() == word)
    }
}

/// A re-check as it is filed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRecheck {
    pub id: RecheckId,
    /// The call whose answer was indeterminate.
    pub call: CallId,
    /// Who files it, and in whose name the call is made again.
    pub client: ClientId,
    /// A disclosure, not a verification.
    pub discloses: bool,
    /// Names the key under which everything of it is sealed.
    pub sealed_by: String,
    /// The call's body, sealed.
    pub body: Vec<u8>,
    pub filed_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    /// When the first try is due.
    pub due_at: DateTime<Utc>,
}

/// What a try was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The call's id in the log.
    pub call: CallId,
    /// The answer, or why it was refused; sealed.
    pub sealed: Vec<u8>,
}

/// A re-check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recheck {
    pub id: RecheckId,
    pub call: CallId,
    pub client: ClientId,
    pub discloses: bool,
    pub state: RecheckState,
    pub sealed_by: String,
    /// None once it has ended.
    pub body: Option<Vec<u8>>,
    pub said: Option<Said>,
    /// Tries that were begun.
    pub tries: u32,
    pub filed_at: DateTime<Utc>,
    pub expires_at: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
}

/// Which re-checks to list. None: of any.
#[derive(Clone, Debug, Default)]
pub struct RecheckFilter {
    pub client: Option<ClientId>,
    pub state: Option<RecheckState>,
    /// Those filed before this one; the latest come first.
    pub before: Option<RecheckId>,
}

#[derive(sqlx::FromRow)]
pub(super) struct Row {
    id: String,
    call_id: String,
    client: String,
    discloses: i64,
    state: String,
    sealed_by: String,
    body: Option<Vec<u8>>,
    said: Option<Vec<u8>>,
    said_as: Option<String>,
    tries: i64,
    filed_at: i64,
    expires_at: i64,
    due_at: i64,
    ended_at: Option<i64>,
}

impl Ledger {
    /// File a re-check; of the same answer, that which the client has filed before. None: as many as may be are waiting.
    pub async fn file_recheck(&self, new: &NewRecheck, waiting_max: u32) -> Result<Option<Recheck>, LedgerError> {
        let action = "file a re-check";
        let failed = || LedgerError::failed(action);
        let mut change = self.write(action).await?;
        let known: Option<Row> = sqlx::query_as("SELECT * FROM rechecks WHERE client = $1 AND call_id = $2")
            .bind(new.client.as_str())
            .bind(new.call.to_string())
            .fetch_optional(&mut *change)
            .await
            .map_err(failed())?;
        if let Some(known) = known {
            return recheck_from(known).map(Some);
        }
        let waiting: (i64,) = sqlx::query_as("SELECT COUNT(*) FROM rechecks WHERE client = $1 AND state = 'waiting'")
            .bind(new.client.as_str())
            .fetch_one(&mut *change)
            .await
            .map_err(failed())?;
        if waiting.0 >= i64::from(waiting_max) {
            return Ok(None);
        }
        let row: Row = sqlx::query_as(
            "INSERT INTO rechecks (id, call_id, client, discloses, state, sealed_by, body, tries, filed_at, expires_at, \
             due_at) VALUES ($1, $2, $3, $4, 'waiting', $5, $6, 0, $7, $8, $9) RETURNING *",
        )
        .bind(new.id.to_string())
        .bind(new.call.to_string())
        .bind(new.client.as_str())
        .bind(i64::from(new.discloses))
        .bind(&new.sealed_by)
        .bind(&new.body)
        .bind(millis(new.filed_at))
        .bind(millis(new.expires_at))
        .bind(millis(new.due_at))
        .fetch_one(&mut *change)
        .await
        .map_err(failed())?;
        change.commit().await.map_err(failed())?;
        recheck_from(row).map(Some)
    }

    pub async fn recheck(&self, id: &RecheckId) -> Result<Option<Recheck>, LedgerError> {
        let row: Option<Row> = sqlx::query_as("SELECT * FROM rechecks WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await
            .map_err(LedgerError::failed("read a re-check"))?;
        row.map(recheck_from).transpose()
    }

    /// Re-checks, the latest first.
    pub async fn rechecks(&self, filter: &RecheckFilter, limit: u32) -> Result<Vec<Recheck>, LedgerError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT * FROM rechecks WHERE ($1 = '' OR client = $1) AND ($2 = '' OR state = $2) AND ($3 = '' OR id < $3) \
             ORDER BY id DESC LIMIT $4",
        )
        .bind(filter.client.as_ref().map_or("", |client| client.as_str()))
        .bind(filter.state.map_or("", RecheckState::as_str))
        .bind(filter.before.as_ref().map_or_else(String::new, ToString::to_string))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await
        .map_err(LedgerError::failed("list the re-checks"))?;
        rows.into_iter().map(recheck_from).collect()
    }

    /// How many wait, whoever has filed them.
    pub async fn rechecks_waiting(&self) -> Result<u64, LedgerError> {
        let row: (i64,) = sqlx::query_as("SELECT COUNT(*) FROM rechecks WHERE state = 'waiting'")
            .fetch_one(&self.pool)
            .await
            .map_err(LedgerError::failed("count the re-checks"))?;
        Ok(row.0.unsigned_abs())
    }

    /// Take those that are due and sealed under that key, at most so many, for `lease`. Nobody else takes them meanwhile.
    pub async fn claim_rechecks(
        &self,
        sealed_by: &str,
        lease: TimeDelta,
        most: u32,
        now: DateTime<Utc>,
    ) -> Result<Vec<Recheck>, LedgerError> {
        let action = "take the re-checks that are due";
        // Nearly always there is none, and looking disturbs no writer.
        let due: Option<(String,)> = sqlx::query_as(
            "SELECT id FROM rechecks WHERE state = 'waiting' AND due_at <= $1 AND sealed_by = $2 LIMIT 1",
        )
        .bind(millis(now))
        .bind(sealed_by)
        .fetch_optional(&self.pool)
        .await
        .map_err(LedgerError::failed(action))?;
        if due.is_none() {
            return Ok(Vec::new());
        }
        let mut change = self.write(action).await?;
        let rows: Vec<Row> = sqlx::query_as(
            "UPDATE rechecks SET due_at = $1, tries = tries + 1 WHERE id IN (SELECT id FROM rechecks \
             WHERE state = 'waiting' AND due_at <= $2 AND sealed_by = $3 ORDER BY due_at LIMIT $4) RETURNING *",
        )
        .bind(millis(now + lease))
        .bind(millis(now))
        .bind(sealed_by)
        .bind(i64::from(most))
        .fetch_all(&mut *change)
        .await
        .map_err(LedgerError::failed(action))?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        rows.into_iter().map(recheck_from).collect()
    }

    /// Nothing is settled; try again then. What the try was told, if anything, is kept. `false`: it is no longer ours.
    pub async fn put_off_recheck(
        &self,
        claimed: &Recheck,
        said: Option<&Said>,
        due_at: DateTime<Utc>,
    ) -> Result<bool, LedgerError> {
        let action = "put off a re-check";
        let mut change = self.write(action).await?;
        if !set_said(&mut change, claimed, said, action).await? {
            return Ok(false);
        }
        sqlx::query("UPDATE rechecks SET due_at = $2 WHERE id = $1")
            .bind(claimed.id.to_string())
            .bind(millis(due_at))
            .execute(&mut *change)
            .await
            .map_err(LedgerError::failed(action))?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(true)
    }

    /// It has ended so: its body is erased, and where its client has an endpoint, a delivery waits. All of it or nothing.
    /// `false`: it is no longer ours.
    pub async fn end_recheck(
        &self,
        claimed: &Recheck,
        state: RecheckState,
        said: Option<&Said>,
        delivery: &DeliveryId,
        now: DateTime<Utc>,
    ) -> Result<bool, LedgerError> {
        let action = "end a re-check";
        let mut change = self.write(action).await?;
        if !set_said(&mut change, claimed, said, action).await? {
            return Ok(false);
        }
        end(&mut change, &claimed.id, state, now, action).await?;
        deliveries::make(&mut change, delivery, &claimed.id, &claimed.client, now).await?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(true)
    }

    /// Its client no longer wants it; a try under way changes nothing any more. `false`: it has ended.
    pub async fn cancel_recheck(&self, id: &RecheckId, now: DateTime<Utc>) -> Result<bool, LedgerError> {
        let action = "cancel a re-check";
        let mut change = self.write(action).await?;
        let ended = end(&mut change, id, RecheckState::Cancelled, now, action).await?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(ended)
    }

    /// Erase what ended before that time, with its delivery. How many.
    pub async fn erase_rechecks(&self, ended_before: DateTime<Utc>) -> Result<u64, LedgerError> {
        let erased = sqlx::query("DELETE FROM rechecks WHERE state <> 'waiting' AND ended_at < $1")
            .bind(millis(ended_before))
            .execute(&self.pool)
            .await
            .map_err(LedgerError::failed("erase old re-checks"))?;
        Ok(erased.rows_affected())
    }

    /// Those that wait though their time was over before that time: nobody has their key, so nobody tries them.
    pub async fn abandoned_rechecks(&self, expired_before: DateTime<Utc>) -> Result<Vec<Recheck>, LedgerError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT * FROM rechecks WHERE state = 'waiting' AND expires_at < $1 AND due_at < $1 LIMIT 100",
        )
        .bind(millis(expired_before))
        .fetch_all(&self.pool)
        .await
        .map_err(LedgerError::failed("list abandoned re-checks"))?;
        rows.into_iter().map(recheck_from).collect()
    }
}

/// Keep what a try was told, where the re-check is still in the hands of whoever began that try.
async fn set_said(
    change: &mut Change,
    claimed: &Recheck,
    said: Option<&Said>,
    action: &'static str,
) -> Result<bool, LedgerError> {
    let ours: Option<(String,)> =
        sqlx::query_as("SELECT id FROM rechecks WHERE id = $1 AND state = 'waiting' AND tries = $2")
            .bind(claimed.id.to_string())
            .bind(i64::from(claimed.tries))
            .fetch_optional(&mut **change)
            .await
            .map_err(LedgerError::failed(action))?;
    if let (Some(_), Some(said)) = (&ours, said) {
        sqlx::query("UPDATE rechecks SET said = $2, said_as = $3 WHERE id = $1")
            .bind(claimed.id.to_string())
            .bind(&said.sealed)
            .bind(said.call.to_string())
            .execute(&mut **change)
            .await
            .map_err(LedgerError::failed(action))?;
    }
    Ok(ours.is_some())
}

async fn end(
    change: &mut Change,
    id: &RecheckId,
    state: RecheckState,
    now: DateTime<Utc>,
    action: &'static str,
) -> Result<bool, LedgerError> {
    let ended =
        sqlx::query("UPDATE rechecks SET state = $2, body = NULL, ended_at = $3 WHERE id = $1 AND state = 'waiting'")
            .bind(id.to_string())
            .bind(state.as_str())
            .bind(millis(now))
            .execute(&mut **change)
            .await
            .map_err(LedgerError::failed(action))?;
    Ok(ended.rows_affected() == 1)
}

pub(super) fn recheck_from(row: Row) -> Result<Recheck, LedgerError> {
    let state = RecheckState::from_word(&row.state).ok_or_else(|| damaged(&format!("the state `{}`", row.state)))?;
    let said = match (row.said_as, row.said) {
        (Some(call), Some(sealed)) => Some(Said { call: parsed(&call)?, sealed }),
        _ => None,
    };
    Ok(Recheck {
        id: parsed(&row.id)?,
        call: parsed(&row.call_id)?,
        client: parsed(&row.client)?,
        discloses: row.discloses != 0,
        state,
        sealed_by: row.sealed_by,
        body: row.body,
        said,
        tries: u32::try_from(row.tries).unwrap_or(u32::MAX),
        filed_at: time(row.filed_at)?,
        expires_at: time(row.expires_at)?,
        due_at: time(row.due_at)?,
        ended_at: row.ended_at.map(time).transpose()?,
    })
}

pub(super) fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, LedgerError> {
    text.parse().map_err(|error| damaged(&error))
}

pub(super) fn damaged(error: &impl std::fmt::Display) -> LedgerError {
    LedgerError::Damaged { reason: format!("a re-check: {error}") }
}

#[cfg(test)]
mod tests;
