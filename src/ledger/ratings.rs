//! Ratings: how good an answer was, from 1 (very bad) to 5 (very good), one an answer.

use chrono::{DateTime, Utc};

use super::{Ledger, LedgerError, millis};
use crate::identifiers::{CallId, ClientId, DatasetId, DepartmentId, ItemCode};

/// A rating of one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rating {
    pub call: CallId,
    pub dataset: DatasetId,
    pub provider: DepartmentId,
    pub item: ItemCode,
    /// 5 very satisfied, 4 satisfied, 3 fairly, 2 dissatisfied, 1 very dissatisfied.
    pub grade: u8,
    /// May be empty, but not for the two lowest grades.
    pub reason: String,
    pub department: DepartmentId,
    pub by: ClientId,
    pub at: DateTime<Utc>,
}

/// The ratings of one dataset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RatingSummary {
    pub dataset: DatasetId,
    pub provider: DepartmentId,
    /// How many of each grade, from 1 to 5.
    pub grades: [u64; 5],
}

impl Ledger {
    /// Keep a rating. `false`: that answer has been rated.
    pub async fn rate(&self, rating: &Rating) -> Result<bool, LedgerError> {
        let inserted = sqlx::query(
            "INSERT INTO ratings (call_id, dataset, provider, item, grade, reason, department, rated_by, rated_at) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING",
        )
        .bind(rating.call.to_string())
        .bind(rating.dataset.as_str())
        .bind(rating.provider.as_str())
        .bind(rating.item.as_str())
        .bind(i64::from(rating.grade))
        .bind(&rating.reason)
        .bind(rating.department.as_str())
        .bind(rating.by.as_str())
        .bind(millis(rating.at))
        .execute(&self.pool)
        .await
        .map_err(LedgerError::failed("keep a rating"))?;
        Ok(inserted.rows_affected() == 1)
    }

    /// The ratings of every dataset that has any, by dataset.
    pub async fn rating_summaries(&self) -> Result<Vec<RatingSummary>, LedgerError> {
        let damaged = |error: String| LedgerError::Damaged { reason: format!("a rating: {error}") };
        let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(
            "SELECT dataset, provider, grade, COUNT(*) FROM ratings GROUP BY dataset, provider, grade \
             ORDER BY dataset, provider, grade",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(LedgerError::failed("count the ratings"))?;
        let mut summaries: Vec<RatingSummary> = Vec::new();
        for (dataset, provider, grade, count) in rows {
            let dataset: DatasetId = dataset.parse().map_err(|error| damaged(format!("{error}")))?;
            let provider: DepartmentId = provider.parse().map_err(|error| damaged(format!("{error}")))?;
            let known = summaries.last().is_some_and(|last| last.dataset == dataset && last.provider == provider);
            if !known {
                summaries.push(RatingSummary { dataset, provider, grades: [0; 5] });
            }
            let place = usize::try_from(grade - 1).ok();
            if let Some(counted) = summaries.last_mut().and_then(|last| last.grades.get_mut(place?)) {
                *counted = count.unsigned_abs();
            }
        }
        Ok(summaries)
    }

    /// The latest reasons of the two lowest grades of a dataset.
    pub async fn complaints(&self, dataset: &DatasetId, limit: u32) -> Result<Vec<(CallId, u8, String)>, LedgerError> {
        let rows: Vec<(String, i64, String)> = sqlx::query_as(
            "SELECT call_id, grade, reason FROM ratings WHERE dataset = $1 AND grade <= 2 \
             ORDER BY rated_at DESC, call_id DESC LIMIT $2",
        )
        .bind(dataset.as_str())
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await
        .map_err(LedgerError::failed("list bad ratings"))?;
        rows.into_iter()
            .map(|(call, grade, reason)| {
                let call =
                    call.parse().map_err(|error| LedgerError::Damaged { reason: format!("a rating: {error}") })?;
                Ok((call, u8::try_from(grade).unwrap_or(0), reason))
            })
            .collect()
    }
}
