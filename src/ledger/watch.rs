//! What the enumeration defence remembers between two starts, and the records that nobody has reason to ask about.

use chrono::{DateTime, Utc};

use super::{Ledger, LedgerError, acts, bump, millis, time};
use crate::identifiers::NodeId;

/// What a place of the defence remembers, in the defence's own form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    pub place: String,
    pub state: Vec<u8>,
}

impl Ledger {
    /// Keep what has changed, all of it or nothing.
    pub async fn keep_watch(
        &self,
        node: &NodeId,
        changed: &[Remembered],
        now: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        if changed.is_empty() {
            return Ok(());
        }
        let action = "keep what the enumeration defence remembers";
        let mut change = self.write(action).await?;
        for one in changed {
            sqlx::query(
                "INSERT INTO watch_state (node, place, state, saved_at) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (node, place) DO UPDATE SET state = excluded.state, saved_at = excluded.saved_at",
            )
            .bind(node.as_str())
            .bind(&one.place)
            .bind(&one.state)
            .bind(millis(now))
            .execute(&mut *change)
            .await
            .map_err(LedgerError::failed(action))?;
        }
        change.commit().await.map_err(LedgerError::failed(action))
    }

    /// What this node has kept, and when it last did.
    pub async fn watch(&self, node: &NodeId) -> Result<(Vec<Remembered>, Option<DateTime<Utc>>), LedgerError> {
        let rows: Vec<(String, Vec<u8>, i64)> =
            sqlx::query_as("SELECT place, state, saved_at FROM watch_state WHERE node = $1")
                .bind(node.as_str())
                .fetch_all(&self.pool)
                .await
                .map_err(LedgerError::failed("read what the enumeration defence remembers"))?;
        let last = rows.iter().map(|(_, _, saved)| *saved).max().map(time).transpose()?;
        Ok((rows.into_iter().map(|(place, state, _)| Remembered { place, state }).collect(), last))
    }

    /// Pseudonyms of the records that nobody has reason to ask about.
    pub async fn honey(&self) -> Result<Vec<String>, LedgerError> {
        let rows: Vec<(String,)> = sqlx::query_as("SELECT subject FROM honey ORDER BY subject")
            .fetch_all(&self.pool)
            .await
            .map_err(LedgerError::failed("list the honey records"))?;
        Ok(rows.into_iter().map(|(subject,)| subject).collect())
    }

    /// Name records as honey; how many were none before. The act says how many, never which.
    pub async fn add_honey(
        &self,
        subjects: &[String],
        account: &str,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<u64, LedgerError> {
        let (action, reason) = ("add honey records", acts::reason(reason)?);
        let mut change = self.write(action).await?;
        let mut added = 0;
        for subject in subjects {
            let inserted = sqlx::query(
                "INSERT INTO honey (subject, account, named_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            )
            .bind(subject)
            .bind(account)
            .bind(millis(now))
            .execute(&mut *change)
            .await
            .map_err(LedgerError::failed(action))?;
            added += inserted.rows_affected();
        }
        acts::note(&mut change, account, action, &format!("{added} records"), reason, now).await?;
        bump(&mut change).await?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(added)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fixture::on_each, *};

    #[tokio::test]
    async fn what_is_kept_comes_back_as_it_was_last_and_each_node_has_its_own() {
        on_each(async |ledger| {
            let (one, other): (NodeId, NodeId) = ("guangdong".parse().unwrap(), "shenzhen".parse().unwrap());
            let kept = |state: &[u8]| vec![Remembered { place: "dataset/a".to_owned(), state: state.to_vec() }];
            let at = |seconds: i64| DateTime::from_timestamp(1_764_000_000 + seconds, 0).unwrap();
            assert_eq!(ledger.watch(&one).await.unwrap(), (Vec::new(), None));
            for (state, seconds) in [(&[1, 0, 255][..], 0), (&[2], 5)] {
                ledger.keep_watch(&one, &kept(state), at(seconds)).await.unwrap();
            }
            assert_eq!(ledger.watch(&one).await.unwrap(), (kept(&[2]), Some(at(5))));
            assert_eq!(ledger.watch(&other).await.unwrap().0, Vec::new());
        })
        .await;
    }

    #[tokio::test]
    async fn honey_is_named_once_and_the_act_does_not_say_which() {
        on_each(async |ledger| {
            let subjects = ["p1:aa".to_owned(), "p1:bb".to_owned()];
            let (now, before) = (Utc::now(), ledger.stamp().await.unwrap());
            assert_eq!(ledger.add_honey(&subjects, "op", "季度更换", now).await.unwrap(), 2);
            assert_eq!(ledger.add_honey(&subjects, "op", "季度更换", now).await.unwrap(), 0);
            assert_eq!(ledger.honey().await.unwrap(), subjects);
            assert!(ledger.stamp().await.unwrap() > before, "running nodes are told");
            assert!(!format!("{:?}", ledger.acts(None, 9).await.unwrap()).contains("p1:"));
        })
        .await;
    }
}
