//! Revisions of the catalogue.
//!
//! Values in, values out; who may propose, review and publish is for the floors above. What is promised here: exactly one
//! revision is published once the first is in, and one is published only in the place of the very one it was made from.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::{AnyConnection, FromRow};

use super::{Ledger, LedgerError, ON_SITE, acts::note, bump, millis, time};
use crate::identifiers::{AgreementId, ClientId, DepartmentId};

/// Where a revision stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RevisionState {
    Draft,
    InReview,
    Published,
    Rejected,
    /// It was published, and another one has taken its place.
    Retired,
}

impl RevisionState {
    pub const ALL: [Self; 5] = [Self::Draft, Self::InReview, Self::Published, Self::Rejected, Self::Retired];

    pub fn word(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::InReview => "in_review",
            Self::Published => "published",
            Self::Rejected => "rejected",
            Self::Retired => "retired",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }
}

/// A revision, without the texts of its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revision {
    /// Counted from 1; the first was read from the node's files.
    pub number: i64,
    pub base: i64,
    pub hash: String,
    /// What it changes of its base, one change a line.
    pub changes: String,
    /// The word for the worst of the changes.
    pub effect: String,
    pub reason: String,
    /// Agreements that end with it.
    pub ended: Vec<AgreementId>,
    pub author: Option<ClientId>,
    pub author_department: Option<DepartmentId>,
    pub created: DateTime<Utc>,
    pub state: RevisionState,
    pub reviewer: Option<ClientId>,
    pub reviewed: Option<DateTime<Utc>>,
    pub note: Option<String>,
}

/// A revision about to be written down.
#[derive(Clone, Debug)]
pub struct NewRevision {
    pub base: i64,
    pub hash: String,
    pub content: String,
    pub changes: String,
    pub effect: String,
    pub reason: String,
    pub ended: Vec<AgreementId>,
    pub author: ClientId,
    pub author_department: DepartmentId,
}

/// Who said yes or no to a revision, when, and in which words.
#[derive(Clone, Debug)]
pub struct Review<'a> {
    pub reviewer: &'a ClientId,
    pub note: &'a str,
    pub now: DateTime<Utc>,
}

/// What became of an attempt to publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Publishing {
    Done,
    /// Another revision than its base is published by now.
    Stale,
    /// It is not in review.
    NotInReview,
}

const COLUMNS: &str = "number, base, hash, changes, effect, reason, ended, author, author_department, created_ms, state, \
                       reviewer, reviewed_ms, note";

impl Ledger {
    /// Make these files the first revision, published; false where there is one already.
    pub async fn seed_catalog(&self, hash: &str, content: &str, now: DateTime<Utc>) -> Result<bool, LedgerError> {
        let action = "keep the catalogue";
        let mut change = self.write(action).await?;
        let done = sqlx::query(
            "INSERT INTO catalog_revisions (number, base, hash, content, changes, effect, reason, ended, created_ms, state) \
             VALUES (1, 0, $1, $2, '', 'compatible', 'the files of the node', '[]', $3, 'published') \
             ON CONFLICT DO NOTHING",
        )
        .bind(hash)
        .bind(content)
        .bind(millis(now))
        .execute(&mut *change)
        .await
        .map_err(LedgerError::failed(action))?;
        let seeded = done.rows_affected() == 1;
        if seeded {
            note(&mut change, ON_SITE, "seed catalogue", "revision 1", "the files of the node", now).await?;
            bump(&mut change).await?;
        }
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(seeded)
    }

    /// The revision that is published, if there is any.
    pub async fn published_revision(&self) -> Result<Option<Revision>, LedgerError> {
        let text = format!("SELECT {COLUMNS} FROM catalog_revisions WHERE state = 'published'");
        let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(text))
            .fetch_optional(&self.pool)
            .await
            .map_err(LedgerError::failed("read the catalogue"))?;
        row.map(Row::revision).transpose()
    }

    pub async fn revision(&self, number: i64) -> Result<Option<Revision>, LedgerError> {
        let text = format!("SELECT {COLUMNS} FROM catalog_revisions WHERE number = $1");
        let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(text))
            .bind(number)
            .fetch_optional(&self.pool)
            .await
            .map_err(LedgerError::failed("read a revision"))?;
        row.map(Row::revision).transpose()
    }

    /// The files of a revision, as JSON.
    pub async fn revision_content(&self, number: i64) -> Result<Option<String>, LedgerError> {
        sqlx::query_scalar("SELECT content FROM catalog_revisions WHERE number = $1")
            .bind(number)
            .fetch_optional(&self.pool)
            .await
            .map_err(LedgerError::failed("read a revision"))
    }

    /// Revisions before a number, the newest first.
    pub async fn revisions(&self, before: Option<i64>, limit: i64) -> Result<Vec<Revision>, LedgerError> {
        let text = format!("SELECT {COLUMNS} FROM catalog_revisions WHERE number < $1 ORDER BY number DESC LIMIT $2");
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(text))
            .bind(before.unwrap_or(i64::MAX))
            .bind(limit)
            .fetch_all(&self.pool)
            .await
            .map_err(LedgerError::failed("list the revisions"))?;
        rows.into_iter().map(Row::revision).collect()
    }

    /// Agreements that a revision has ended which is published, or was.
    pub async fn ended_by_revisions(&self) -> Result<BTreeSet<AgreementId>, LedgerError> {
        let mut connection = self.pool.acquire().await.map_err(LedgerError::failed("read the revisions"))?;
        ended_by_revisions(&mut connection).await
    }

    /// Write a revision down as a draft; its number.
    pub async fn draft_revision(&self, draft: &NewRevision, now: DateTime<Utc>) -> Result<i64, LedgerError> {
        let action = "keep a draft";
        let ended = serde_json::to_string(&draft.ended).unwrap_or_default();
        let mut change = self.write(action).await?;
        let number: i64 = sqlx::query_scalar(
            "INSERT INTO catalog_revisions (number, base, hash, content, changes, effect, reason, ended, author, \
             author_department, created_ms, state) \
             SELECT COALESCE(MAX(number), 0) + 1, $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'draft' \
             FROM catalog_revisions RETURNING number",
        )
        .bind(draft.base)
        .bind(&draft.hash)
        .bind(&draft.content)
        .bind(&draft.changes)
        .bind(&draft.effect)
        .bind(&draft.reason)
        .bind(&ended)
        .bind(draft.author.as_str())
        .bind(draft.author_department.as_str())
        .bind(millis(now))
        .fetch_one(&mut *change)
        .await
        .map_err(LedgerError::failed(action))?;
        let subject = subject(number);
        note(&mut change, draft.author.as_str(), "draft catalogue", &subject, &draft.reason, now).await?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(number)
    }

    /// Hand a draft in for review; false where it is no draft.
    pub async fn submit_revision(
        &self,
        number: i64,
        author: &ClientId,
        now: DateTime<Utc>,
    ) -> Result<bool, LedgerError> {
        let action = "hand a revision in";
        let mut change = self.write(action).await?;
        let done =
            sqlx::query("UPDATE catalog_revisions SET state = 'in_review' WHERE number = $1 AND state = 'draft'")
                .bind(number)
                .execute(&mut *change)
                .await
                .map_err(LedgerError::failed(action))?;
        if done.rows_affected() != 1 {
            return Ok(false);
        }
        note(&mut change, author.as_str(), "submit catalogue", &subject(number), "", now).await?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(true)
    }

    /// Turn a revision down; false where it is neither a draft nor in review.
    pub async fn reject_revision(&self, number: i64, review: &Review<'_>) -> Result<bool, LedgerError> {
        let action = "turn a revision down";
        let mut change = self.write(action).await?;
        let done = sqlx::query(
            "UPDATE catalog_revisions SET state = 'rejected', reviewer = $2, reviewed_ms = $3, note = $4 \
             WHERE number = $1 AND state IN ('draft', 'in_review')",
        )
        .bind(number)
        .bind(review.reviewer.as_str())
        .bind(millis(review.now))
        .bind(review.note)
        .execute(&mut *change)
        .await
        .map_err(LedgerError::failed(action))?;
        if done.rows_affected() != 1 {
            return Ok(false);
        }
        let Review { reviewer, note: why, now } = review;
        note(&mut change, reviewer.as_str(), "reject catalogue", &subject(number), why, *now).await?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(true)
    }

    /// Publish a revision that is in review, in the place of its base.
    pub async fn publish_revision(&self, number: i64, review: &Review<'_>) -> Result<Publishing, LedgerError> {
        let action = "publish a revision";
        let mut change = self.write(action).await?;
        // Whoever comes second finds that its base is no longer the published one.
        let retired = sqlx::query(
            "UPDATE catalog_revisions SET state = 'retired' WHERE state = 'published' \
             AND number = (SELECT base FROM catalog_revisions WHERE number = $1)",
        )
        .bind(number)
        .execute(&mut *change)
        .await
        .map_err(LedgerError::failed(action))?;
        if retired.rows_affected() != 1 {
            return Ok(Publishing::Stale);
        }
        let published = sqlx::query(
            "UPDATE catalog_revisions SET state = 'published', reviewer = $2, reviewed_ms = $3, note = $4 \
             WHERE number = $1 AND state = 'in_review'",
        )
        .bind(number)
        .bind(review.reviewer.as_str())
        .bind(millis(review.now))
        .bind(review.note)
        .execute(&mut *change)
        .await
        .map_err(LedgerError::failed(action))?;
        if published.rows_affected() != 1 {
            return Ok(Publishing::NotInReview); // Dropped without a commit: the base stays published.
        }
        let Review { reviewer, note: why, now } = review;
        note(&mut change, reviewer.as_str(), "publish catalogue", &subject(number), why, *now).await?;
        bump(&mut change).await?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(Publishing::Done)
    }
}

fn subject(number: i64) -> String {
    format!("revision {number}")
}

#[derive(FromRow)]
struct Row {
    number: i64,
    base: i64,
    hash: String,
    changes: String,
    effect: String,
    reason: String,
    ended: String,
    author: Option<String>,
    author_department: Option<String>,
    created_ms: i64,
    state: String,
    reviewer: Option<String>,
    reviewed_ms: Option<i64>,
    note: Option<String>,
}

impl Row {
    fn revision(self) -> Result<Revision, LedgerError> {
        let damaged = |what: &str| LedgerError::Damaged { reason: format!("{what} of revision {}", self.number) };
        let account = |text: &Option<String>| text.as_deref().map(str::parse::<ClientId>).transpose();
        let department = self.author_department.as_deref().map(str::parse).transpose();
        Ok(Revision {
            number: self.number,
            base: self.base,
            ended: serde_json::from_str(&self.ended).map_err(|_| damaged("the ended agreements"))?,
            author: account(&self.author).map_err(|_| damaged("the author"))?,
            author_department: department.map_err(|_| damaged("the author's department"))?,
            created: time(self.created_ms)?,
            state: RevisionState::from_word(&self.state).ok_or_else(|| damaged("the state"))?,
            reviewer: account(&self.reviewer).map_err(|_| damaged("the reviewer"))?,
            reviewed: self.reviewed_ms.map(time).transpose()?,
            hash: self.hash,
            changes: self.changes,
            effect: self.effect,
            reason: self.reason,
            note: self.note,
        })
    }
}

/// The same, in a change that is under way.
pub(super) async fn ended_by_revisions(connection: &mut AnyConnection) -> Result<BTreeSet<AgreementId>, LedgerError> {
    let lists: Vec<String> = sqlx::query_scalar(
        "SELECT ended FROM catalog_revisions WHERE state IN ('published', 'retired') AND ended <> '[]'",
    )
    .fetch_all(connection)
    .await
    .map_err(LedgerError::failed("read the revisions"))?;
    let mut all = BTreeSet::new();
    for list in lists {
        let ended: Vec<AgreementId> = serde_json::from_str(&list)
            .map_err(|_| LedgerError::Damaged { reason: "the ended agreements of a revision".to_owned() })?;
        all.extend(ended);
    }
    Ok(all)
}

#[cfg(test)]
mod tests;
