//! The feed of catalogue entries: what this node publishes, and what it has heard from nodes below, under numbers that grow.
//!
//! An entry stands once, under the number of its last change; one that has gone leaves its name. So whoever walks over the
//! numbers, from where it last ended, knows in the end what is published now. What an entry says is for `catalog` to read.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Change, Ledger, LedgerError, millis, time};
use crate::identifiers::{DatasetId, NodeId};

/// A feed, and the last number in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedMark {
    /// Random, made with the ledger.
    pub id: String,
    pub newest: i64,
}

/// One entry as it last changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedEntry {
    pub number: i64,
    pub entry: NamedEntry,
}

/// What one node publishes under one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedEntry {
    pub origin: NodeId,
    pub dataset: DatasetId,
    /// The nodes that it has passed on its way here, its origin first; of an own entry this node alone. Never empty.
    pub path: Vec<NodeId>,
    /// When its origin changed it, by the origin's clock.
    pub changed: DateTime<Utc>,
    /// JSON; none: it is no longer published.
    pub text: Option<String>,
}

pub(super) type Row = (String, String, i64, String, Option<String>, i64);

impl Ledger {
    /// The feed of this ledger.
    pub async fn feed(&self) -> Result<FeedMark, LedgerError> {
        let (id, newest) = sqlx::query_as("SELECT id, newest FROM catalog_feed")
            .fetch_one(&self.pool)
            .await
            .map_err(LedgerError::failed("read the feed of the catalogue"))?;
        Ok(FeedMark { id, newest })
    }

    /// What has changed after that number, in the order of numbers.
    pub async fn feed_after(&self, after: i64, limit: i64) -> Result<Vec<FeedEntry>, LedgerError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT origin, dataset, number, path, entry, changed FROM catalog_entries WHERE number > $1 \
             ORDER BY number LIMIT $2",
        )
        .bind(after)
        .bind(limit)
        .fetch_all(&self.pool)
        .await
        .map_err(LedgerError::failed("read the feed of the catalogue"))?;
        rows.into_iter().map(entry).collect()
    }

    /// These are the entries that this node itself publishes, of that revision of its catalogue: those that differ from what
    /// the feed has come under new numbers. How many did. An older revision than the feed's changes nothing: another replica
    /// is ahead.
    pub async fn keep_own_entries(
        &self,
        own: &NodeId,
        revision: i64,
        entries: &BTreeMap<DatasetId, String>,
        now: DateTime<Utc>,
    ) -> Result<usize, LedgerError> {
        let action = "keep the entries of the catalogue";
        let mut change = self.write(action).await?;
        let known: i64 = sqlx::query_scalar("SELECT revision FROM catalog_feed")
            .fetch_one(&mut *change)
            .await
            .map_err(LedgerError::failed(action))?;
        if revision < known {
            return Ok(0);
        }
        let rows: Vec<(String, String)> =
            sqlx::query_as("SELECT dataset, entry FROM catalog_entries WHERE sender = $1 AND entry IS NOT NULL")
                .bind(own.as_str())
                .fetch_all(&mut *change)
                .await
                .map_err(LedgerError::failed(action))?;
        let held: BTreeMap<String, String> = rows.into_iter().collect();
        let named = |dataset: DatasetId, text: Option<String>| NamedEntry {
            origin: own.clone(),
            dataset,
            path: vec![own.clone()],
            changed: now,
            text,
        };
        let new = entries.iter().filter(|(dataset, text)| held.get(dataset.as_str()) != Some(*text));
        let mut changed: Vec<_> = new.map(|(dataset, text)| named(dataset.clone(), Some(text.clone()))).collect();
        for dataset in held.keys().filter(|dataset| !entries.contains_key(dataset.as_str())) {
            changed.push(named(parsed(dataset)?, None));
        }
        put(&mut change, &changed, 0).await?;
        sqlx::query("UPDATE catalog_feed SET revision = $1")
            .bind(revision)
            .execute(&mut *change)
            .await
            .map_err(LedgerError::failed(action))?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(changed.len())
    }
}

/// Put these entries in the place of what was there, each under a number of its own.
pub(super) async fn put(change: &mut Change, entries: &[NamedEntry], pass: i64) -> Result<(), LedgerError> {
    const PUT: &str = "INSERT INTO catalog_entries (origin, dataset, number, path, sender, entry, changed, pass)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (origin, dataset) DO UPDATE SET number = excluded.number, path = excluded.path, sender = excluded.sender,
        entry = excluded.entry, changed = excluded.changed, pass = excluded.pass";
    let failed = || LedgerError::failed("keep the entries of the catalogue");
    if entries.is_empty() {
        return Ok(());
    }
    let mut newest: i64 =
        sqlx::query_scalar("SELECT newest FROM catalog_feed").fetch_one(&mut **change).await.map_err(failed())?;
    for one in entries {
        newest += 1;
        let path: Vec<_> = one.path.iter().map(NodeId::as_str).collect();
        sqlx::query(PUT)
            .bind(one.origin.as_str())
            .bind(one.dataset.as_str())
            .bind(newest)
            .bind(path.join(","))
            .bind(path.last().copied().unwrap_or_default())
            .bind(one.text.clone())
            .bind(millis(one.changed))
            .bind(pass)
            .execute(&mut **change)
            .await
            .map_err(failed())?;
    }
    sqlx::query("UPDATE catalog_feed SET newest = $1").bind(newest).execute(&mut **change).await.map_err(failed())?;
    Ok(())
}

pub(super) fn entry((origin, dataset, number, path, text, changed): Row) -> Result<FeedEntry, LedgerError> {
    let path = path.split(',').map(parsed).collect::<Result<Vec<_>, _>>()?;
    let entry =
        NamedEntry { origin: parsed(&origin)?, dataset: parsed(&dataset)?, path, changed: time(changed)?, text };
    Ok(FeedEntry { number, entry })
}

pub(super) fn parsed<T: std::str::FromStr<Err = crate::identifiers::IdentifierError>>(
    text: &str,
) -> Result<T, LedgerError> {
    text.parse().map_err(|error| LedgerError::Damaged { reason: format!("`{text}` in the feed: {error}") })
}

#[cfg(test)]
mod tests {
    use super::{super::fixture::on_each, *};

    fn entries(all: &[(&str, &str)]) -> BTreeMap<DatasetId, String> {
        all.iter().map(|(dataset, text)| (dataset.parse().unwrap(), (*text).to_owned())).collect()
    }

    #[tokio::test]
    async fn a_change_comes_under_a_new_number_and_the_same_again_under_none() {
        on_each(async |ledger| {
            let (own, now): (NodeId, _) = ("shenzhen".parse().unwrap(), Utc::now());
            let keep = async |revision, all: &[(&str, &str)]| {
                ledger.keep_own_entries(&own, revision, &entries(all), now).await.unwrap()
            };
            let first = ledger.feed().await.unwrap();
            assert_eq!((first.newest, first.id.len()), (0, 32));
            assert_eq!(keep(1, &[("a", "{}"), ("b", "{}")]).await, 2);
            assert_eq!(keep(1, &[("a", "{}"), ("b", "{}")]).await, 0);
            assert_eq!(keep(2, &[("a", "{\"x\":1}")]).await, 2);
            assert_eq!(keep(1, &[("c", "{}")]).await, 0, "of an older revision");
            let told: Vec<_> = ledger.feed_after(0, 9).await.unwrap();
            let told = told.iter().map(|one| (one.number, one.entry.dataset.as_str(), one.entry.text.as_deref()));
            assert_eq!(told.collect::<Vec<_>>(), [(3, "a", Some("{\"x\":1}")), (4, "b", None)]);
            assert_eq!(keep(3, &[("a", "{\"x\":1}"), ("b", "{}")]).await, 1, "it is back");
            let after: Vec<_> = ledger.feed_after(4, 9).await.unwrap();
            assert_eq!((after.len(), after[0].number), (1, 5));
            assert_eq!(after[0].entry.path, std::slice::from_ref(&own));
            assert_eq!(ledger.feed().await.unwrap(), FeedMark { id: first.id.clone(), newest: 5 });
        })
        .await;
    }
}
