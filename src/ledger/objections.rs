//! Objections: "this is wrong", bound to an answer, with a clock.

use chrono::{DateTime, NaiveDate, Utc};

use super::{Ledger, LedgerError, acts, bump, millis, time};
use crate::identifiers::{CallId, ClientId, DatasetId, DepartmentId, FieldName, ItemCode, ObjectionId, VersionNo};

/// What became of an objection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ObjectionState {
    Open,
    /// The register was wrong; a later version is right.
    Corrected,
    /// The register is right.
    Upheld,
    /// The provider does not keep what is objected to.
    NotOurs,
}

impl ObjectionState {
    pub const ALL: &'static [Self] = &[Self::Open, Self::Corrected, Self::Upheld, Self::NotOurs];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Corrected => "corrected",
            Self::Upheld => "upheld",
            Self::NotOurs => "not_ours",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.as_str() == word)
    }
}

/// An objection as it was filed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filed {
    pub id: ObjectionId,
    pub call: CallId,
    pub dataset: DatasetId,
    /// The department that owns the dataset and has to decide.
    pub provider: DepartmentId,
    pub item: ItemCode,
    /// The version that answered, and when its data was true (RFC 3339).
    pub version: VersionNo,
    pub as_of: String,
    /// What is said to be wrong.
    pub fields: Vec<FieldName>,
    pub statement: String,
    pub subject_field: FieldName,
    /// Pseudonym, as in the audit log.
    pub subject: String,
    pub by: ClientId,
    pub department: DepartmentId,
    pub at: DateTime<Utc>,
    /// Last day to decide, in China; provisional where the holidays of its year are not known yet.
    pub due: NaiveDate,
    pub due_provisional: bool,
}

/// How an objection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decided {
    pub by: ClientId,
    pub at: DateTime<Utc>,
    /// For the filer.
    pub reason: String,
    /// Holds the correction.
    pub corrected_version: Option<VersionNo>,
    /// When the filer read it.
    pub told_at: Option<DateTime<Utc>>,
}

/// An objection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Objection {
    pub filed: Filed,
    pub state: ObjectionState,
    /// The subject's number, for the steward. Erased when the objection is decided.
    pub subject_value: Option<String>,
    pub decided: Option<Decided>,
}

/// What later answers on a subject say of its objections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectionMark {
    pub dataset: DatasetId,
    pub subject: String,
    pub state: ObjectionState,
    pub corrected_version: Option<VersionNo>,
}

/// Which objections to list. None: of any.
#[derive(Clone, Debug, Default)]
pub struct ObjectionFilter {
    pub provider: Option<DepartmentId>,
    pub filed_department: Option<DepartmentId>,
    pub state: Option<ObjectionState>,
    /// Due before that day, so too late on it.
    pub due_before: Option<NaiveDate>,
    /// Those filed before this one; the latest come first.
    pub before: Option<ObjectionId>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    call_id: String,
    dataset: String,
    provider: String,
    item: String,
    dataset_version: i64,
    as_of: String,
    fields: String,
    statement: String,
    subject_field: String,
    subject: String,
    subject_value: Option<String>,
    filed_by: String,
    filed_department: String,
    filed_at: i64,
    due: String,
    due_provisional: i64,
    state: String,
    decided_by: Option<String>,
    decided_at: Option<i64>,
    decision: Option<String>,
    corrected_version: Option<i64>,
    told_at: Option<i64>,
}

/// Put to every statement that lists: an absent condition is an empty text.
const LIST: &str = "SELECT * FROM objections WHERE ($1 = '' OR provider = $1) AND ($2 = '' OR filed_department = $2) \
                    AND ($3 = '' OR state = $3) AND ($4 = '' OR due < $4) AND ($5 = '' OR id < $5) \
                    ORDER BY id DESC LIMIT $6";

impl Ledger {
    /// File an objection. `false`: one against that answer is open.
    pub async fn file_objection(&self, filed: &Filed, subject_value: &str) -> Result<bool, LedgerError> {
        let action = "file an objection";
        let mut change = self.write(action).await?;
        let fields = serde_json::to_string(&filed.fields).unwrap_or_default();
        let inserted = sqlx::query(
            "INSERT INTO objections (id, call_id, dataset, provider, item, dataset_version, as_of, fields, statement, \
             subject_field, subject, subject_value, filed_by, filed_department, filed_at, due, due_provisional, state) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, 'open') \
             ON CONFLICT DO NOTHING",
        )
        .bind(filed.id.to_string())
        .bind(filed.call.to_string())
        .bind(filed.dataset.as_str())
        .bind(filed.provider.as_str())
        .bind(filed.item.as_str())
        .bind(number(filed.version))
        .bind(&filed.as_of)
        .bind(fields)
        .bind(acts::reason(&filed.statement)?)
        .bind(filed.subject_field.as_str())
        .bind(&filed.subject)
        .bind(subject_value)
        .bind(filed.by.as_str())
        .bind(filed.department.as_str())
        .bind(millis(filed.at))
        .bind(filed.due.to_string())
        .bind(i64::from(filed.due_provisional))
        .execute(&mut *change)
        .await
        .map_err(LedgerError::failed(action))?;
        if inserted.rows_affected() == 0 {
            return Ok(false);
        }
        acts::note(&mut change, filed.by.as_str(), action, &filed.id.to_string(), "", filed.at).await?;
        bump(&mut change).await?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(true)
    }

    pub async fn objection(&self, id: &ObjectionId) -> Result<Option<Objection>, LedgerError> {
        let row: Option<Row> = sqlx::query_as("SELECT * FROM objections WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await
            .map_err(LedgerError::failed("read an objection"))?;
        row.map(objection_from).transpose()
    }

    /// Objections, the latest first.
    pub async fn objections(&self, filter: &ObjectionFilter, limit: u32) -> Result<Vec<Objection>, LedgerError> {
        let text = |value: Option<&str>| value.unwrap_or_default().to_owned();
        let rows: Vec<Row> = sqlx::query_as(LIST)
            .bind(text(filter.provider.as_ref().map(DepartmentId::as_str)))
            .bind(text(filter.filed_department.as_ref().map(DepartmentId::as_str)))
            .bind(text(filter.state.map(ObjectionState::as_str)))
            .bind(filter.due_before.map_or_else(String::new, |day| day.to_string()))
            .bind(filter.before.as_ref().map_or_else(String::new, ToString::to_string))
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(LedgerError::failed("list the objections"))?;
        rows.into_iter().map(objection_from).collect()
    }

    /// Decide an open objection, and erase the subject's number. `false`: it is decided already.
    pub async fn decide_objection(
        &self,
        id: &ObjectionId,
        state: ObjectionState,
        decided: &Decided,
    ) -> Result<bool, LedgerError> {
        let action = "decide an objection";
        let mut change = self.write(action).await?;
        let updated = sqlx::query(
            "UPDATE objections SET state = $2, decided_by = $3, decided_at = $4, decision = $5, corrected_version = $6, \
             subject_value = NULL WHERE id = $1 AND state = 'open'",
        )
        .bind(id.to_string())
        .bind(state.as_str())
        .bind(decided.by.as_str())
        .bind(millis(decided.at))
        .bind(acts::reason(&decided.reason)?)
        .bind(decided.corrected_version.map(number))
        .execute(&mut *change)
        .await
        .map_err(LedgerError::failed(action))?;
        if updated.rows_affected() == 0 {
            return Ok(false);
        }
        let note = format!("{}: {}", state.as_str(), decided.reason);
        acts::note(&mut change, decided.by.as_str(), action, &id.to_string(), &note, decided.at).await?;
        bump(&mut change).await?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(true)
    }

    /// Write down that somebody looks at the record that an objection is about, and why. Before it is shown.
    pub async fn note_look(
        &self,
        id: &ObjectionId,
        by: &ClientId,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let action = "look at the record of an objection";
        let reason = acts::reason(reason)?;
        let mut change = self.write(action).await?;
        acts::note(&mut change, by.as_str(), action, &id.to_string(), reason, now).await?;
        change.commit().await.map_err(LedgerError::failed(action))
    }

    /// The filer has read the decision; the first time counts.
    pub async fn objection_told(&self, id: &ObjectionId, now: DateTime<Utc>) -> Result<(), LedgerError> {
        sqlx::query("UPDATE objections SET told_at = $2 WHERE id = $1 AND state <> 'open' AND told_at IS NULL")
            .bind(id.to_string())
            .bind(millis(now))
            .execute(&self.pool)
            .await
            .map_err(LedgerError::failed("note that a decision was read"))?;
        Ok(())
    }

    /// What later answers have to say: subjects with an open objection, or with a correction since that time.
    pub async fn objection_marks(&self, since: DateTime<Utc>) -> Result<Vec<ObjectionMark>, LedgerError> {
        let rows: Vec<(String, String, String, Option<i64>)> = sqlx::query_as(
            "SELECT dataset, subject, state, corrected_version FROM objections \
             WHERE state = 'open' OR (state = 'corrected' AND decided_at >= $1) ORDER BY id",
        )
        .bind(millis(since))
        .fetch_all(&self.pool)
        .await
        .map_err(LedgerError::failed("read the marks of objections"))?;
        rows.into_iter()
            .map(|(dataset, subject, state, corrected)| {
                Ok(ObjectionMark {
                    dataset: parsed(&dataset)?,
                    subject,
                    state: state_of(&state)?,
                    corrected_version: corrected.map(version),
                })
            })
            .collect()
    }
}

fn objection_from(row: Row) -> Result<Objection, LedgerError> {
    let state = state_of(&row.state)?;
    let decided = match (row.decided_by, row.decided_at) {
        (Some(by), Some(at)) => Some(Decided {
            by: parsed(&by)?,
            at: time(at)?,
            reason: row.decision.unwrap_or_default(),
            corrected_version: row.corrected_version.map(version),
            told_at: row.told_at.map(time).transpose()?,
        }),
        _ => None,
    };
    let filed = Filed {
        id: parsed(&row.id)?,
        call: parsed(&row.call_id)?,
        dataset: parsed(&row.dataset)?,
        provider: parsed(&row.provider)?,
        item: parsed(&row.item)?,
        version: version(row.dataset_version),
        as_of: row.as_of,
        fields: serde_json::from_str(&row.fields).map_err(|error| damaged(&error))?,
        statement: row.statement,
        subject_field: parsed(&row.subject_field)?,
        subject: row.subject,
        by: parsed(&row.filed_by)?,
        department: parsed(&row.filed_department)?,
        at: time(row.filed_at)?,
        due: parsed(&row.due)?,
        due_provisional: row.due_provisional != 0,
    };
    Ok(Objection { filed, state, subject_value: row.subject_value, decided })
}

fn state_of(word: &str) -> Result<ObjectionState, LedgerError> {
    ObjectionState::from_word(word).ok_or_else(|| damaged(&format!("the state `{word}`")))
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(text: &str) -> Result<T, LedgerError> {
    text.parse().map_err(|error| damaged(&error))
}

fn damaged(error: &impl std::fmt::Display) -> LedgerError {
    LedgerError::Damaged { reason: format!("an objection: {error}") }
}

fn number(version: VersionNo) -> i64 {
    i64::try_from(version.0).unwrap_or(i64::MAX)
}

fn version(number: i64) -> VersionNo {
    VersionNo(number.unsigned_abs())
}
