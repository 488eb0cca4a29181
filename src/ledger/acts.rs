//! Acts: who did what in the ledger, and why. Only ever added to, in the change that it tells of.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::{Change, Ledger, LedgerError, millis, time};
use crate::{
    identifiers::{ClientId, DepartmentId, Role, Roles},
    problem::{Code, Problem},
};

/// The name of whoever works on the node itself without an account.
pub const ON_SITE: &str = "on-site";
/// Longest reason, in characters.
const REASON_CHARS_MAX: usize = 2_000;

/// A person who does something: an account, with what it may do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    pub account: ClientId,
    pub department: DepartmentId,
    pub roles: Roles,
}

impl Actor {
    /// The actor has one of these roles, or is told which would do.
    pub fn require(&self, any_of: &[Role]) -> Result<(), Problem> {
        if self.roles.has_any(any_of) {
            return Ok(());
        }
        let wanted = any_of.iter().map(|role| format!("`{role}`")).collect::<Vec<_>>().join(" or ");
        let detail = format!("the account `{}` does not have the role {wanted}", self.account);
        Err(Problem::new(Code::RoleRequired, detail).remedy("Let an account that has it do this."))
    }
}

/// One act, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Act {
    /// Rises by the order of acts.
    pub number: i64,
    pub at: DateTime<Utc>,
    /// The account, or `on-site`.
    pub account: String,
    /// A verb and its object, such as `suspend dataset`.
    pub act: String,
    /// What it was done to.
    pub subject: String,
    pub reason: String,
}

type Row = (i64, i64, String, String, String, String);

/// Write down an act in the change that makes it.
pub(super) async fn note(
    change: &mut Change,
    account: &str,
    act: &str,
    subject: &str,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), LedgerError> {
    sqlx::query("INSERT INTO acts (at, account, act, subject, reason) VALUES ($1, $2, $3, $4, $5)")
        .bind(millis(now))
        .bind(account)
        .bind(act)
        .bind(subject)
        .bind(reason)
        .execute(&mut **change)
        .await
        .map_err(LedgerError::failed("write down an act"))?;
    Ok(())
}

/// A reason that says something: not empty, not endless.
pub(super) fn reason(text: &str) -> Result<&str, LedgerError> {
    let text = text.trim();
    let chars = text.chars().count();
    if chars == 0 || chars > REASON_CHARS_MAX {
        return Err(LedgerError::Reason { chars_max: REASON_CHARS_MAX });
    }
    Ok(text)
}

impl Ledger {
    /// Acts before that number (none: from the last one), the latest first.
    pub async fn acts(&self, before: Option<i64>, limit: u32) -> Result<Vec<Act>, LedgerError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT number, at, account, act, subject, reason FROM acts WHERE number < $1 ORDER BY number DESC LIMIT $2",
        )
        .bind(before.unwrap_or(i64::MAX))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await
        .map_err(LedgerError::failed("list the acts"))?;
        rows.into_iter()
            .map(|(number, at, account, act, subject, reason)| {
                Ok(Act { number, at: time(at)?, account, act, subject, reason })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fixture::on_each, *};

    #[tokio::test]
    async fn acts_are_kept_in_their_order_and_only_with_their_change() {
        on_each(async |ledger| {
            let now = DateTime::from_timestamp_millis(1_764_000_000_123).unwrap();
            for (number, commit) in [(1, true), (2, false), (3, true)] {
                let mut change = ledger.write("test").await.unwrap();
                note(&mut change, ON_SITE, "suspend dataset", &format!("d{number}"), "为何", now).await.unwrap();
                if commit {
                    change.commit().await.unwrap();
                }
            }
            let acts = ledger.acts(None, 10).await.unwrap();
            let subjects: Vec<_> = acts.iter().map(|act| act.subject.as_str()).collect();
            assert_eq!(subjects, ["d3", "d1"]);
            assert_eq!((acts[0].at, acts[0].reason.as_str()), (now, "为何"));
            assert_eq!(ledger.acts(Some(acts[0].number), 10).await.unwrap(), acts[1..]);
            assert_eq!(ledger.acts(None, 1).await.unwrap().len(), 1);
        })
        .await;
    }

    #[test]
    fn a_reason_says_something() {
        assert_eq!(reason(" 数据有误 ").unwrap(), "数据有误");
        assert!(reason("  ").is_err() && reason(&"长".repeat(REASON_CHARS_MAX + 1)).is_err());
    }
}
