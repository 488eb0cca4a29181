//! Suspensions: what somebody responsible has stopped, until somebody lets it go on.

use std::{collections::BTreeMap, fmt, str::FromStr};

use chrono::{DateTime, Utc};

use super::{Ledger, LedgerError, acts, bump, millis, time};
use crate::identifiers::{AgreementId, ClientId, DatasetId, FieldName, IdentifierError, NodeId};

/// What can be stopped. In text: the kind, a colon and the name, such as `dataset:natural-person`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Everything,
    Client(ClientId),
    Agreement(AgreementId),
    Dataset(DatasetId),
    Field(DatasetId, FieldName),
    Peer(NodeId),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("everything"),
            Self::Client(client) => write!(f, "client:{client}"),
            Self::Agreement(agreement) => write!(f, "agreement:{agreement}"),
            Self::Dataset(dataset) => write!(f, "dataset:{dataset}"),
            Self::Field(dataset, field) => write!(f, "field:{dataset}.{field}"),
            Self::Peer(node) => write!(f, "peer:{node}"),
        }
    }
}

impl FromStr for Target {
    type Err = IdentifierError;
    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        let unknown = || {
            let forms =
                "`everything`, `client:NAME`, `agreement:NAME`, `dataset:NAME`, `field:DATASET.FIELD` or `peer:NODE`";
            IdentifierError::new("target", format!("write {forms}"))
        };
        if text == "everything" {
            return Ok(Self::Everything);
        }
        let (kind, name) = text.split_once(':').ok_or_else(unknown)?;
        match kind {
            "client" => Ok(Self::Client(name.parse()?)),
            "agreement" => Ok(Self::Agreement(name.parse()?)),
            "dataset" => Ok(Self::Dataset(name.parse()?)),
            "peer" => Ok(Self::Peer(name.parse()?)),
            "field" => {
                let (dataset, field) = name.split_once('.').ok_or_else(unknown)?;
                Ok(Self::Field(dataset.parse()?, field.parse()?))
            }
            _ => Err(unknown()),
        }
    }
}

/// One suspension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspension {
    pub reason: String,
    /// Who stopped it: an account, or `on-site`.
    pub account: String,
    pub since: DateTime<Utc>,
}

/// Everything that is stopped.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suspensions(BTreeMap<Target, Suspension>);

impl Suspensions {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn get(&self, target: &Target) -> Option<&Suspension> {
        self.0.get(target)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&Target, &Suspension)> {
        self.0.iter()
    }
}

impl FromIterator<(Target, Suspension)> for Suspensions {
    fn from_iter<I: IntoIterator<Item = (Target, Suspension)>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}

type Row = (String, String, String, i64);

impl Ledger {
    /// Everything that is stopped.
    pub async fn suspensions(&self) -> Result<Suspensions, LedgerError> {
        let rows: Vec<Row> = sqlx::query_as("SELECT target, reason, account, since FROM suspensions")
            .fetch_all(&self.pool)
            .await
            .map_err(LedgerError::failed("list what is suspended"))?;
        rows.into_iter()
            .map(|(target, reason, account, since)| {
                let target = target
                    .parse()
                    .map_err(|error| LedgerError::Damaged { reason: format!("the suspension `{target}`: {error}") })?;
                Ok((target, Suspension { reason, account, since: time(since)? }))
            })
            .collect()
    }

    /// Stop something. `false`: it was stopped already, and stays so for the reason given then.
    pub async fn suspend(
        &self,
        target: &Target,
        account: &str,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, LedgerError> {
        let (action, reason) = ("suspend", acts::reason(reason)?);
        let mut change = self.write(action).await?;
        let inserted = sqlx::query(
            "INSERT INTO suspensions (target, reason, account, since) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        )
        .bind(target.to_string())
        .bind(reason)
        .bind(account)
        .bind(millis(now))
        .execute(&mut *change)
        .await
        .map_err(LedgerError::failed(action))?;
        if inserted.rows_affected() == 0 {
            return Ok(false);
        }
        acts::note(&mut change, account, action, &target.to_string(), reason, now).await?;
        bump(&mut change).await?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(true)
    }

    /// Let something go on. `false`: it was not stopped.
    pub async fn resume(
        &self,
        target: &Target,
        account: &str,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, LedgerError> {
        let (action, reason) = ("resume", acts::reason(reason)?);
        let mut change = self.write(action).await?;
        let removed = sqlx::query("DELETE FROM suspensions WHERE target = $1")
            .bind(target.to_string())
            .execute(&mut *change)
            .await
            .map_err(LedgerError::failed(action))?;
        if removed.rows_affected() == 0 {
            return Ok(false);
        }
        acts::note(&mut change, account, action, &target.to_string(), reason, now).await?;
        bump(&mut change).await?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fixture::on_each, *};

    const TARGETS: [&str; 6] = [
        "everything",
        "client:gz-window",
        "agreement:agr-0001",
        "dataset:natural-person",
        "field:natural-person.phone",
        "peer:shenzhen",
    ];

    #[test]
    fn a_target_reads_back_and_nothing_else_is_one() {
        for text in TARGETS {
            assert_eq!(text.parse::<Target>().unwrap().to_string(), text);
        }
        for text in ["", "all", "dataset", "dataset:", "dataset:A", "field:natural-person", "field:.phone", "table:x"] {
            assert!(text.parse::<Target>().is_err(), "{text}");
        }
    }

    #[tokio::test]
    async fn what_is_stopped_stays_so_until_it_is_let_go_and_both_are_written_down() {
        on_each(async |ledger| {
            let now = DateTime::from_timestamp_millis(1_764_000_000_123).unwrap();
            let mut stamps = vec![ledger.stamp().await.unwrap()];
            for text in TARGETS {
                assert!(ledger.suspend(&text.parse().unwrap(), "op", "泄露", now).await.unwrap());
                stamps.push(ledger.stamp().await.unwrap());
            }
            let dataset = TARGETS[3].parse().unwrap();
            assert!(!ledger.suspend(&dataset, "other", "again", now).await.unwrap());
            let stopped = ledger.suspensions().await.unwrap();
            assert_eq!(stopped.iter().count(), TARGETS.len());
            let known = Suspension { reason: "泄露".to_owned(), account: "op".to_owned(), since: now };
            assert_eq!(stopped.get(&dataset), Some(&known));

            assert!(ledger.resume(&dataset, "op", "查清", now).await.unwrap());
            stamps.push(ledger.stamp().await.unwrap());
            assert!(!ledger.resume(&dataset, "op", "查清", now).await.unwrap());
            assert_eq!(ledger.suspensions().await.unwrap().get(&dataset), None);
            assert!(stamps.is_sorted_by(|a, b| a < b), "{stamps:?}");
            let acts = ledger.acts(None, 100).await.unwrap();
            assert_eq!(acts.len(), TARGETS.len() + 1);
            assert_eq!((acts[0].act.as_str(), acts[0].subject.as_str()), ("resume", "dataset:natural-person"));
        })
        .await;
    }

    #[tokio::test]
    async fn nothing_is_stopped_without_a_reason() {
        on_each(async |ledger| {
            let refused = ledger.suspend(&Target::Everything, "op", " ", Utc::now()).await;
            assert!(matches!(refused, Err(LedgerError::Reason { .. })));
            assert!(ledger.suspensions().await.unwrap().is_empty());
        })
        .await;
    }
}
