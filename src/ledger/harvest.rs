//! What was heard of the catalogues of nodes below: taken page by page, each with how far it goes, or not at all.
//!
//! Values in, values out; which entries are acceptable is for `cascade`. What is promised here: a page is taken once, and only
//! as the next one; what this node publishes itself, and what was heard from another node, is never changed by it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{
    Change, Ledger, LedgerError,
    feed::{NamedEntry, parsed, put},
    millis, time,
};
use crate::identifiers::{DatasetId, NodeId};

/// Names that one node may ever have handed up. A province has some thousand entries.
const NAMES_MAX: i64 = 50_000;

/// How far a node's feed was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    pub sender: NodeId,
    /// The id of its feed.
    pub feed: String,
    /// What its entries were judged by; by other rules they are fetched again.
    pub judged_by: String,
    /// Which walk over the feed this is, counted from 1.
    pub pass: i64,
    /// Up to this number.
    pub heard: i64,
    /// The last number that it has told of.
    pub newest: i64,
    /// When it was last heard to its end.
    pub confirmed: Option<DateTime<Utc>>,
}

/// A part of a feed, judged.
#[derive(Clone, Debug)]
pub struct Harvested {
    /// How far it was heard when the part was asked for; none: nothing was.
    pub before: Option<Source>,
    /// How far with this part.
    pub after: Source,
    /// Entries to be taken; of those that were refused the names, without a text.
    pub entries: Vec<NamedEntry>,
    /// At the end of the feed: when the feeds of the origins in it were last heard to their end.
    pub origins: Option<BTreeMap<NodeId, DateTime<Utc>>>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    Done {
        /// Entries that were new, changed or gone.
        changed: usize,
        /// Not taken: another node has told of them, or there are too many.
        refused: Vec<(NodeId, DatasetId)>,
    },
    /// The part was taken by another replica, or the node is not heard any more. Nothing was changed.
    Overtaken,
}

/// When an origin's feed was last heard to its end, over that sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    pub origin: NodeId,
    pub sender: NodeId,
    pub at: DateTime<Utc>,
}

type Row = (String, String, String, i64, i64, i64, Option<i64>);
const COLUMNS: &str = "sender, feed, judged_by, pass, heard, newest, confirmed";
const ACTION: &str = "keep what was heard of other catalogues";

impl Ledger {
    /// Every node whose feed was heard, and how far.
    pub async fn sources(&self) -> Result<Vec<Source>, LedgerError> {
        let text = format!("SELECT {COLUMNS} FROM catalog_sources ORDER BY sender");
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(text))
            .fetch_all(&self.pool)
            .await
            .map_err(LedgerError::failed("read how far other catalogues were heard"))?;
        rows.into_iter().map(source).collect()
    }

    /// When each origin was last heard to the end.
    pub async fn confirmed_origins(&self) -> Result<Vec<Confirmed>, LedgerError> {
        let rows: Vec<(String, String, i64)> = sqlx::query_as("SELECT origin, sender, confirmed FROM catalog_origins")
            .fetch_all(&self.pool)
            .await
            .map_err(LedgerError::failed("read when other catalogues were heard"))?;
        let one = |(origin, sender, at): (String, String, i64)| {
            Ok(Confirmed { origin: parsed(&origin)?, sender: parsed(&sender)?, at: time(at)? })
        };
        rows.into_iter().map(one).collect()
    }

    /// Take a part of a feed.
    pub async fn take_harvest(&self, part: &Harvested, now: DateTime<Utc>) -> Result<Taken, LedgerError> {
        let (mut change, sender) = (self.write(ACTION).await?, &part.after.sender);
        if held(&mut change, sender).await? != part.before || is_revoked(&mut change, sender).await? {
            return Ok(Taken::Overtaken);
        }
        let names: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM catalog_entries WHERE sender = $1")
            .bind(sender.as_str())
            .fetch_one(&mut *change)
            .await
            .map_err(LedgerError::failed(ACTION))?;
        let (mut room, mut news, mut refused) = (NAMES_MAX - names, Vec::new(), Vec::new());
        for entry in &part.entries {
            match place(&mut change, entry, sender).await? {
                Place::Same => see(&mut change, entry, part.after.pass).await?,
                Place::Absent => {}
                Place::Another => refused.push((entry.origin.clone(), entry.dataset.clone())),
                Place::New if room <= 0 => refused.push((entry.origin.clone(), entry.dataset.clone())),
                place => {
                    room -= i64::from(place == Place::New);
                    news.push(entry.clone());
                }
            }
        }
        put(&mut change, &news, part.after.pass).await?;
        let mut changed = news.len();
        if let Some(origins) = &part.origins {
            changed += sweep(&mut change, sender, part.after.pass, now).await?;
            confirm(&mut change, sender, origins).await?;
        }
        keep(&mut change, &part.after).await?;
        change.commit().await.map_err(LedgerError::failed(ACTION))?;
        Ok(Taken::Done { changed, refused })
    }

    /// Hear that node no longer: its entries are gone. Those of nodes that it has handed on, too.
    pub async fn forget_source(&self, sender: &NodeId, now: DateTime<Utc>) -> Result<(), LedgerError> {
        let mut change = self.write(ACTION).await?;
        forget(&mut change, sender, now).await?;
        change.commit().await.map_err(LedgerError::failed(ACTION))
    }
}

/// The same of a node that has just been revoked, in that very change.
pub(super) async fn forget_revoked(change: &mut Change, node: &NodeId, now: DateTime<Utc>) -> Result<(), LedgerError> {
    match is_revoked(change, node).await? {
        true => forget(change, node, now).await,
        false => Ok(()),
    }
}

async fn forget(change: &mut Change, sender: &NodeId, now: DateTime<Utc>) -> Result<(), LedgerError> {
    sweep(change, sender, i64::MAX, now).await?;
    for statement in ["DELETE FROM catalog_sources WHERE sender = $1", "DELETE FROM catalog_origins WHERE sender = $1"]
    {
        sqlx::query(statement)
            .bind(sender.as_str())
            .execute(&mut **change)
            .await
            .map_err(LedgerError::failed(ACTION))?;
    }
    Ok(())
}

async fn held(change: &mut Change, sender: &NodeId) -> Result<Option<Source>, LedgerError> {
    let text = format!("SELECT {COLUMNS} FROM catalog_sources WHERE sender = $1");
    let row: Option<Row> = sqlx::query_as(sqlx::AssertSqlSafe(text))
        .bind(sender.as_str())
        .fetch_optional(&mut **change)
        .await
        .map_err(LedgerError::failed(ACTION))?;
    row.map(source).transpose()
}

/// Where the directory is issued, a node that was revoked while it was asked has nothing to say any more.
async fn is_revoked(change: &mut Change, sender: &NodeId) -> Result<bool, LedgerError> {
    let revoked: Option<i64> = sqlx::query_scalar("SELECT revoked FROM members WHERE node = $1")
        .bind(sender.as_str())
        .fetch_optional(&mut **change)
        .await
        .map_err(LedgerError::failed(ACTION))?;
    Ok(revoked == Some(1))
}

/// How an entry stands to what is there under its name.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Nothing was there, and it is gone.
    Absent,
    New,
    /// It is in the place of what the same node has told before.
    Next,
    Same,
    /// Another node has told of it, or it is this node's own.
    Another,
}

async fn place(change: &mut Change, entry: &NamedEntry, sender: &NodeId) -> Result<Place, LedgerError> {
    let row: Option<(String, String, Option<String>, i64)> =
        sqlx::query_as("SELECT sender, path, entry, changed FROM catalog_entries WHERE origin = $1 AND dataset = $2")
            .bind(entry.origin.as_str())
            .bind(entry.dataset.as_str())
            .fetch_optional(&mut **change)
            .await
            .map_err(LedgerError::failed(ACTION))?;
    let path: Vec<_> = entry.path.iter().map(NodeId::as_str).collect();
    Ok(match row {
        None if entry.text.is_none() => Place::Absent,
        None => Place::New,
        // One that has gone may come again from wherever.
        Some((teller, _, None, _)) if teller != sender.as_str() && entry.text.is_some() => Place::New,
        Some((teller, ..)) if teller != sender.as_str() => Place::Another,
        Some((_, _, None, _)) if entry.text.is_none() => Place::Same,
        Some((_, way, text, changed))
            if text == entry.text && way == path.join(",") && changed == millis(entry.changed) =>
        {
            Place::Same
        }
        Some(_) => Place::Next,
    })
}

/// Unchanged, and seen in this walk.
async fn see(change: &mut Change, entry: &NamedEntry, pass: i64) -> Result<(), LedgerError> {
    sqlx::query("UPDATE catalog_entries SET pass = $3 WHERE origin = $1 AND dataset = $2 AND pass <> $3")
        .bind(entry.origin.as_str())
        .bind(entry.dataset.as_str())
        .bind(pass)
        .execute(&mut **change)
        .await
        .map_err(LedgerError::failed(ACTION))?;
    Ok(())
}

/// What was not seen in this walk over the whole feed is gone. How many were.
async fn sweep(change: &mut Change, sender: &NodeId, pass: i64, now: DateTime<Utc>) -> Result<usize, LedgerError> {
    let rows: Vec<(String, String, String)> = sqlx::query_as(
        "SELECT origin, dataset, path FROM catalog_entries WHERE sender = $1 AND pass < $2 AND entry IS NOT NULL",
    )
    .bind(sender.as_str())
    .bind(pass)
    .fetch_all(&mut **change)
    .await
    .map_err(LedgerError::failed(ACTION))?;
    let gone = |(origin, dataset, path): (String, String, String)| {
        let path = path.split(',').map(parsed).collect::<Result<_, LedgerError>>()?;
        Ok(NamedEntry { origin: parsed(&origin)?, dataset: parsed(&dataset)?, path, changed: now, text: None })
    };
    let gone: Vec<_> = rows.into_iter().map(gone).collect::<Result<_, LedgerError>>()?;
    put(change, &gone, 0).await?;
    Ok(gone.len())
}

async fn confirm(
    change: &mut Change,
    sender: &NodeId,
    origins: &BTreeMap<NodeId, DateTime<Utc>>,
) -> Result<(), LedgerError> {
    sqlx::query("DELETE FROM catalog_origins WHERE sender = $1")
        .bind(sender.as_str())
        .execute(&mut **change)
        .await
        .map_err(LedgerError::failed(ACTION))?;
    for (origin, at) in origins {
        sqlx::query("INSERT INTO catalog_origins (origin, sender, confirmed) VALUES ($1, $2, $3)")
            .bind(origin.as_str())
            .bind(sender.as_str())
            .bind(millis(*at))
            .execute(&mut **change)
            .await
            .map_err(LedgerError::failed(ACTION))?;
    }
    Ok(())
}

async fn keep(change: &mut Change, source: &Source) -> Result<(), LedgerError> {
    const KEEP: &str = "INSERT INTO catalog_sources (sender, feed, judged_by, pass, heard, newest, confirmed)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (sender) DO UPDATE SET feed = excluded.feed, judged_by = excluded.judged_by, pass = excluded.pass,
        heard = excluded.heard, newest = excluded.newest, confirmed = excluded.confirmed";
    sqlx::query(KEEP)
        .bind(source.sender.as_str())
        .bind(&source.feed)
        .bind(&source.judged_by)
        .bind(source.pass)
        .bind(source.heard)
        .bind(source.newest)
        .bind(source.confirmed.map(millis))
        .execute(&mut **change)
        .await
        .map_err(LedgerError::failed(ACTION))?;
    Ok(())
}

fn source((sender, feed, judged_by, pass, heard, newest, confirmed): Row) -> Result<Source, LedgerError> {
    let confirmed = confirmed.map(time).transpose()?;
    Ok(Source { sender: parsed(&sender)?, feed, judged_by, pass, heard, newest, confirmed })
}

#[cfg(test)]
mod tests {
    use super::{
        super::{ON_SITE, fixture::on_each},
        *,
    };

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_764_000_000 + seconds, 0).unwrap()
    }

    fn source(pass: i64, heard: i64, confirmed: Option<DateTime<Utc>>) -> Source {
        let (feed, judged_by) = ("f".to_owned(), "r".to_owned());
        Source { sender: "shenzhen".parse().unwrap(), feed, judged_by, pass, heard, newest: 9, confirmed }
    }

    fn entry(dataset: &str, text: Option<&str>) -> NamedEntry {
        let origin: NodeId = "shenzhen".parse().unwrap();
        let (path, text) = (vec![origin.clone()], text.map(str::to_owned));
        NamedEntry { origin, dataset: dataset.parse().unwrap(), path, changed: at(0), text }
    }

    async fn live(ledger: &Ledger) -> Vec<String> {
        let all = ledger.feed_after(0, 99).await.unwrap().into_iter().filter(|one| one.entry.text.is_some());
        all.map(|one| one.entry.dataset.to_string()).collect()
    }

    #[tokio::test]
    async fn a_page_is_taken_once_and_the_end_of_a_walk_takes_away_what_was_not_met() {
        on_each(async |ledger| {
            let origins = || Some(BTreeMap::from([("shenzhen".parse().unwrap(), at(1))]));
            let first = Harvested {
                before: None,
                after: source(1, 2, Some(at(1))),
                entries: vec![entry("a", Some("{}")), entry("b", Some("{}")), entry("c", None)],
                origins: origins(),
            };
            let done = |changed| Taken::Done { changed, refused: Vec::new() };
            assert_eq!(ledger.take_harvest(&first, at(1)).await.unwrap(), done(2));
            assert_eq!(ledger.take_harvest(&first, at(1)).await.unwrap(), Taken::Overtaken);
            assert_eq!((live(&ledger).await, ledger.feed().await.unwrap().newest), (vec!["a".into(), "b".into()], 2));
            assert_eq!(ledger.sources().await.unwrap(), [source(1, 2, Some(at(1)))]);
            assert_eq!(ledger.confirmed_origins().await.unwrap()[0].at, at(1));

            let again = Harvested {
                before: Some(source(1, 2, Some(at(1)))),
                after: source(2, 1, None),
                entries: vec![entry("a", Some("{}"))],
                origins: origins(),
            };
            assert_eq!(ledger.take_harvest(&again, at(2)).await.unwrap(), done(1), "only what is gone");
            assert_eq!(live(&ledger).await, ["a"]);

            let sender: NodeId = "shenzhen".parse().unwrap();
            ledger.admit_member(&sender, "{}", ON_SITE, "joins", at(3)).await.unwrap();
            assert!(ledger.renew_member(&sender, "{\"new\":1}", at(3)).await.unwrap());
            assert_eq!(live(&ledger).await, ["a"]);
            ledger.revoke_member(&sender, ON_SITE, "left", at(3)).await.unwrap();
            assert!(live(&ledger).await.is_empty() && ledger.confirmed_origins().await.unwrap().is_empty());
            assert_eq!(ledger.take_harvest(&first, at(4)).await.unwrap(), Taken::Overtaken);
            ledger.admit_member(&sender, "{}", ON_SITE, "joins again", at(5)).await.unwrap();
            assert_eq!(ledger.take_harvest(&first, at(5)).await.unwrap(), done(2));
        })
        .await;
    }
}
