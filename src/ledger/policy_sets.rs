//! Policy sets: proposed by one account, activated by another, named by their hash.
//!
//! Files go in and come out as they are; whether they are policies is not judged here. Promises that at most one set is
//! active, and that the text of a set that was ever active stays.

use std::{collections::BTreeMap, fmt, str::FromStr};

use chrono::{DateTime, Utc};

use super::{Change, Ledger, LedgerError, acts, bump, millis, time};

/// What a set is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PolicySetState {
    Proposed,
    Active,
    /// Was active before.
    Retired,
    Rejected,
}

impl PolicySetState {
    const ALL: [Self; 4] = [Self::Proposed, Self::Active, Self::Retired, Self::Rejected];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Active => "active",
            Self::Retired => "retired",
            Self::Rejected => "rejected",
        }
    }
}

impl fmt::Display for PolicySetState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for PolicySetState {
    type Err = LedgerError;
    fn from_str(text: &str) -> Result<Self, LedgerError> {
        let damaged = || LedgerError::Damaged { reason: format!("the state `{text}` of a policy set") };
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(damaged)
    }
}

/// What is known of a set besides its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptPolicySet {
    pub hash: String,
    pub state: PolicySetState,
    pub proposed_by: String,
    pub proposed_at: DateTime<Utc>,
    pub reason: String,
    /// Who approved or rejected it, and when.
    pub decided_by: Option<String>,
    pub decided_at: Option<DateTime<Utc>>,
    /// The last time.
    pub activated_at: Option<DateTime<Utc>>,
    /// The set that was active when this one was approved.
    pub replaced: Option<String>,
}

/// A set as it is put into the ledger.
#[derive(Clone, Copy, Debug)]
pub struct NewPolicySet<'a> {
    pub hash: &'a str,
    /// Each file's name with its text.
    pub files: &'a BTreeMap<&'a str, &'a str>,
}

/// Who changes a set, when, and why.
#[derive(Clone, Copy, Debug)]
pub struct By<'a> {
    pub account: &'a str,
    pub reason: &'a str,
    pub now: DateTime<Utc>,
}

const COLUMNS: &str =
    "hash, state, proposed_by, proposed_at, reason, decided_by, decided_at, activated_at, replaced FROM policy_sets";

type Row = (String, String, String, i64, String, Option<String>, Option<i64>, Option<i64>, Option<String>);

fn kept(row: Row) -> Result<KeptPolicySet, LedgerError> {
    let (hash, state, proposed_by, proposed_at, reason, decided_by, decided_at, activated_at, replaced) = row;
    Ok(KeptPolicySet {
        state: state.parse()?,
        proposed_at: time(proposed_at)?,
        decided_at: decided_at.map(time).transpose()?,
        activated_at: activated_at.map(time).transpose()?,
        hash,
        proposed_by,
        reason,
        decided_by,
        replaced,
    })
}

impl Ledger {
    /// Sets, the last proposed first; after the one that was proposed then and has that hash.
    pub async fn policy_sets(
        &self,
        after: Option<(DateTime<Utc>, &str)>,
        limit: u32,
    ) -> Result<Vec<KeptPolicySet>, LedgerError> {
        let (at, hash) = after.map_or((i64::MAX, ""), |(at, hash)| (millis(at), hash));
        let statement = format!(
            "SELECT {COLUMNS} WHERE proposed_at < $1 OR (proposed_at = $1 AND hash > $2) \
             ORDER BY proposed_at DESC, hash LIMIT $3"
        );
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(statement))
            .bind(at)
            .bind(hash)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await
            .map_err(LedgerError::failed("list the policy sets"))?;
        rows.into_iter().map(kept).collect()
    }

    pub async fn policy_set(&self, hash: &str) -> Result<Option<KeptPolicySet>, LedgerError> {
        self.policy_set_where("hash = $1", hash).await
    }

    /// The set that decides, where one does.
    pub async fn active_policy_set(&self) -> Result<Option<KeptPolicySet>, LedgerError> {
        self.policy_set_where("state = $1", PolicySetState::Active.as_str()).await
    }

    async fn policy_set_where(&self, condition: &str, value: &str) -> Result<Option<KeptPolicySet>, LedgerError> {
        let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} WHERE {condition}")))
            .bind(value)
            .fetch_optional(&self.pool)
            .await
            .map_err(LedgerError::failed("find a policy set"))?;
        row.map(kept).transpose()
    }

    /// The files of a set, each with its text.
    pub async fn policy_set_files(&self, hash: &str) -> Result<Option<BTreeMap<String, String>>, LedgerError> {
        let row: Option<(String,)> = sqlx::query_as("SELECT files FROM policy_sets WHERE hash = $1")
            .bind(hash)
            .fetch_optional(&self.pool)
            .await
            .map_err(LedgerError::failed("read a policy set"))?;
        let damaged =
            |error: serde_json::Error| LedgerError::Damaged { reason: format!("policy set `{hash}`: {error}") };
        row.map(|(files,)| serde_json::from_str(&files).map_err(damaged)).transpose()
    }

    /// Propose a set. `false`: it is known already, and not rejected.
    pub async fn propose_policy_set(&self, new: NewPolicySet<'_>, by: By<'_>) -> Result<bool, LedgerError> {
        let (action, reason) = ("propose a policy set", acts::reason(by.reason)?);
        let mut change = self.write(action).await?;
        // One that was rejected may be proposed again, with other cases or a better reason.
        let inserted = sqlx::query(
            "INSERT INTO policy_sets (hash, files, state, proposed_by, proposed_at, reason) \
             VALUES ($1, $2, 'proposed', $3, $4, $5) \
             ON CONFLICT (hash) DO UPDATE SET files = excluded.files, state = 'proposed', \
             proposed_by = excluded.proposed_by, proposed_at = excluded.proposed_at, reason = excluded.reason, \
             decided_by = NULL, decided_at = NULL WHERE policy_sets.state = 'rejected'",
        )
        .bind(new.hash)
        .bind(json(new.files)?)
        .bind(by.account)
        .bind(millis(by.now))
        .bind(reason)
        .execute(&mut *change)
        .await
        .map_err(LedgerError::failed(action))?;
        if inserted.rows_affected() == 0 {
            return Ok(false);
        }
        acts::note(&mut change, by.account, action, new.hash, reason, by.now).await?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(true)
    }

    /// Let a proposed set decide, in place of the active one. Where none was active, `folder` is what nodes decided by: it
    /// is kept as the set to roll back to. `false`: the set is not proposed (any more).
    pub async fn activate_policy_set(
        &self,
        hash: &str,
        folder: NewPolicySet<'_>,
        by: By<'_>,
    ) -> Result<bool, LedgerError> {
        let (action, reason) = ("approve a policy set", acts::reason(by.reason)?);
        let mut change = self.write(action).await?;
        let before = match retire_active(&mut change).await? {
            Some(before) => before,
            None => {
                keep_folder(&mut change, folder, by.now).await?;
                folder.hash.to_owned()
            }
        };
        let activated = sqlx::query(
            "UPDATE policy_sets SET state = 'active', decided_by = $2, decided_at = $3, activated_at = $3, replaced = $4 \
             WHERE hash = $1 AND state = 'proposed'",
        )
        .bind(hash)
        .bind(by.account)
        .bind(millis(by.now))
        .bind(before)
        .execute(&mut *change)
        .await
        .map_err(LedgerError::failed(action))?;
        if activated.rows_affected() == 0 {
            return Ok(false);
        }
        acts::note(&mut change, by.account, action, hash, reason, by.now).await?;
        bump(&mut change).await?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(true)
    }

    /// Refuse a proposed set. `false`: it is not proposed (any more).
    pub async fn reject_policy_set(&self, hash: &str, by: By<'_>) -> Result<bool, LedgerError> {
        let (action, reason) = ("reject a policy set", acts::reason(by.reason)?);
        let mut change = self.write(action).await?;
        let rejected = sqlx::query(
            "UPDATE policy_sets SET state = 'rejected', decided_by = $2, decided_at = $3 \
             WHERE hash = $1 AND state = 'proposed'",
        )
        .bind(hash)
        .bind(by.account)
        .bind(millis(by.now))
        .execute(&mut *change)
        .await
        .map_err(LedgerError::failed(action))?;
        if rejected.rows_affected() == 0 {
            return Ok(false);
        }
        acts::note(&mut change, by.account, action, hash, reason, by.now).await?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(true)
    }

    /// Let a retired set decide again, in place of the one that is active. `false`: one of them is in another state by now.
    pub async fn roll_back_policy_set(&self, active: &str, to: &str, by: By<'_>) -> Result<bool, LedgerError> {
        let (action, reason) = ("roll back to a policy set", acts::reason(by.reason)?);
        let mut change = self.write(action).await?;
        if retire_active(&mut change).await?.as_deref() != Some(active) {
            return Ok(false);
        }
        let activated = sqlx::query(
            "UPDATE policy_sets SET state = 'active', activated_at = $2 WHERE hash = $1 AND state = 'retired'",
        )
        .bind(to)
        .bind(millis(by.now))
        .execute(&mut *change)
        .await
        .map_err(LedgerError::failed(action))?;
        if activated.rows_affected() == 0 || active == to {
            return Ok(false);
        }
        acts::note(&mut change, by.account, action, to, reason, by.now).await?;
        bump(&mut change).await?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(true)
    }
}

/// The set that was active until now, if one was.
async fn retire_active(change: &mut Change) -> Result<Option<String>, LedgerError> {
    let row: Option<(String,)> =
        sqlx::query_as("UPDATE policy_sets SET state = 'retired' WHERE state = 'active' RETURNING hash")
            .fetch_optional(&mut **change)
            .await
            .map_err(LedgerError::failed("retire a policy set"))?;
    Ok(row.map(|(hash,)| hash))
}

/// What was decided by before the ledger had any set.
async fn keep_folder(change: &mut Change, folder: NewPolicySet<'_>, now: DateTime<Utc>) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO policy_sets (hash, files, state, proposed_by, proposed_at, reason) \
         VALUES ($1, $2, 'retired', $3, $4, 'the policies in the node''s folder') ON CONFLICT DO NOTHING",
    )
    .bind(folder.hash)
    .bind(json(folder.files)?)
    .bind(acts::ON_SITE)
    .bind(millis(now))
    .execute(&mut **change)
    .await
    .map_err(LedgerError::failed("keep the policies of the folder"))?;
    Ok(())
}

fn json(files: &BTreeMap<&str, &str>) -> Result<String, LedgerError> {
    serde_json::to_string(files).map_err(|error| LedgerError::Damaged { reason: format!("policy files: {error}") })
}

#[cfg(test)]
mod tests {
    use super::{super::fixture::on_each, *};

    fn by(account: &'static str, second: i64) -> By<'static> {
        By { account, reason: "为何", now: DateTime::from_timestamp(1_764_000_000 + second, 0).unwrap() }
    }

    fn files(text: &str) -> BTreeMap<&str, &str> {
        [("a.cedar", text)].into()
    }

    async fn states(ledger: &Ledger) -> Vec<(String, &'static str)> {
        let sets = ledger.policy_sets(None, 100).await.unwrap();
        let mut states: Vec<_> = sets.into_iter().map(|set| (set.hash, set.state.as_str())).collect();
        states.sort();
        states
    }

    #[tokio::test]
    async fn a_set_is_proposed_activated_replaced_and_rolled_back() {
        on_each(async |ledger| {
            let (folder, one, two) = (files("folder"), files("one"), files("two"));
            let folder = NewPolicySet { hash: "f", files: &folder };
            let mut stamps = vec![ledger.stamp().await.unwrap()];
            assert!(ledger.active_policy_set().await.unwrap().is_none());
            for (hash, files) in [("1", &one), ("2", &two)] {
                assert!(ledger.propose_policy_set(NewPolicySet { hash, files }, by("li", 1)).await.unwrap());
                assert!(!ledger.propose_policy_set(NewPolicySet { hash, files }, by("he", 2)).await.unwrap());
            }
            assert_eq!(ledger.stamp().await.unwrap(), stamps[0], "a proposal changes no call");
            assert!(ledger.activate_policy_set("1", folder, by("wu", 3)).await.unwrap());
            stamps.push(ledger.stamp().await.unwrap());
            assert_eq!(
                states(&ledger).await,
                [("1".into(), "active"), ("2".into(), "proposed"), ("f".into(), "retired")]
            );
            assert!(ledger.activate_policy_set("2", folder, by("wu", 4)).await.unwrap());
            stamps.push(ledger.stamp().await.unwrap());
            let active = ledger.active_policy_set().await.unwrap().unwrap();
            assert_eq!((active.hash.as_str(), active.replaced.as_deref()), ("2", Some("1")));
            assert_eq!((active.proposed_by.as_str(), active.decided_by.as_deref()), ("li", Some("wu")));

            assert!(!ledger.roll_back_policy_set("1", "f", by("wu", 5)).await.unwrap(), "1 is not the active one");
            assert!(!ledger.roll_back_policy_set("2", "2", by("wu", 5)).await.unwrap());
            assert!(!ledger.roll_back_policy_set("2", "none", by("wu", 5)).await.unwrap());
            assert_eq!(ledger.active_policy_set().await.unwrap().unwrap().hash, "2", "nothing half done");
            assert!(ledger.roll_back_policy_set("2", "1", by("wu", 5)).await.unwrap());
            stamps.push(ledger.stamp().await.unwrap());
            let back = ledger.active_policy_set().await.unwrap().unwrap();
            assert_eq!((back.hash.as_str(), back.replaced.as_deref()), ("1", Some("f")));
            assert!(stamps.is_sorted_by(|a, b| a < b), "{stamps:?}");
            let kept = ledger.policy_set_files("f").await.unwrap().unwrap();
            assert_eq!(kept, [("a.cedar".to_owned(), "folder".to_owned())].into());
            let acts: Vec<_> = ledger.acts(None, 3).await.unwrap().into_iter().map(|act| act.act).collect();
            assert_eq!(acts, ["roll back to a policy set", "approve a policy set", "approve a policy set"]);
        })
        .await;
    }

    #[tokio::test]
    async fn what_was_rejected_may_be_proposed_again_and_what_was_active_keeps_its_text() {
        on_each(async |ledger| {
            let (folder, one, other) = (files("folder"), files("one"), files("other cases"));
            let folder = NewPolicySet { hash: "f", files: &folder };
            ledger.propose_policy_set(NewPolicySet { hash: "1", files: &one }, by("li", 1)).await.unwrap();
            assert!(ledger.reject_policy_set("1", by("wu", 2)).await.unwrap());
            assert!(!ledger.reject_policy_set("1", by("wu", 3)).await.unwrap());
            assert!(!ledger.activate_policy_set("1", folder, by("wu", 4)).await.unwrap());
            assert_eq!(states(&ledger).await, [("1".into(), "rejected")], "nothing half done");
            assert!(ledger.propose_policy_set(NewPolicySet { hash: "1", files: &other }, by("he", 5)).await.unwrap());
            let again = ledger.policy_set("1").await.unwrap().unwrap();
            assert_eq!((again.proposed_by.as_str(), again.decided_by), ("he", None));
            ledger.activate_policy_set("1", folder, by("wu", 6)).await.unwrap();
            assert!(!ledger.propose_policy_set(NewPolicySet { hash: "1", files: &one }, by("li", 7)).await.unwrap());
            let kept = ledger.policy_set_files("1").await.unwrap().unwrap();
            assert_eq!(kept["a.cedar"], "other cases");
        })
        .await;
    }

    #[tokio::test]
    async fn of_many_approvals_at_once_one_set_is_active() {
        on_each(async |ledger| {
            let folder = files("folder");
            let folder = NewPolicySet { hash: "f", files: &folder };
            let hashes: Vec<_> = (0..6).map(|number| number.to_string()).collect();
            let text = files("text");
            for hash in &hashes {
                ledger.propose_policy_set(NewPolicySet { hash, files: &text }, by("li", 1)).await.unwrap();
            }
            let approvals = hashes.iter().map(|hash| ledger.activate_policy_set(hash, folder, by("wu", 2)));
            let approved = futures::future::try_join_all(approvals).await.unwrap();
            assert!(approved.into_iter().all(|approved| approved), "each takes its turn");
            let active = states(&ledger).await.into_iter().filter(|(_, state)| *state == "active").count();
            assert_eq!(active, 1);
        })
        .await;
    }

    #[tokio::test]
    async fn the_list_goes_on_where_it_ended_also_among_sets_of_the_same_moment() {
        on_each(async |ledger| {
            let text = files("text");
            for (hash, second) in [("a", 1), ("b", 1), ("c", 1), ("d", 2)] {
                ledger.propose_policy_set(NewPolicySet { hash, files: &text }, by("li", second)).await.unwrap();
            }
            let mut seen = Vec::new();
            let mut after: Option<(DateTime<Utc>, String)> = None;
            loop {
                let from = after.as_ref().map(|(at, hash)| (*at, hash.as_str()));
                let part = ledger.policy_sets(from, 2).await.unwrap();
                let Some(last) = part.last() else { break };
                after = Some((last.proposed_at, last.hash.clone()));
                seen.extend(part.into_iter().map(|set| set.hash));
            }
            assert_eq!(seen, ["d", "a", "b", "c"]);
        })
        .await;
    }
}
