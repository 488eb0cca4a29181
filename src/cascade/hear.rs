//! Hearing another node's feed: what to ask next, and what to make of the page that came.
//!
//! How far the feed was heard is kept with the entries, so that whatever ends in between goes on from there. Where the feed is
//! another one, where it ends before what was heard, or where entries are judged by other rules, it is walked over again
//! from its beginning; what was heard stays until the walk has ended, and what it has not met is gone then.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    CascadeError,
    judge::{Judge, rules},
    page::{Asked, Page},
};
use crate::{
    catalog::Catalog,
    identifiers::{DatasetId, NodeId},
    ledger::{FeedMark, Harvested, Ledger, Source, Taken},
};

/// A confirmation that says nothing new is not worth a write each time.
const CONFIRM_EVERY: TimeDelta = TimeDelta::seconds(30);
/// Nodes below the sender of which it is kept when they were heard.
const ORIGINS_MAX: usize = 1_000;

/// Who hears whom, by which catalogue.
#[derive(Clone, Copy, Debug)]
pub struct Hearing<'h> {
    pub own: &'h NodeId,
    pub sender: &'h NodeId,
    pub catalog: &'h Catalog,
}

/// What came of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Entries that were new, changed or gone.
    pub changed: usize,
    /// Entries that were not taken, each with the reason.
    pub refused: Vec<String>,
    /// Was it the last one?
    pub whole: bool,
}

/// How far the sender was heard, and what to ask it for.
pub async fn ask(ledger: &Ledger, hearing: Hearing<'_>) -> Result<(Option<Source>, Asked), CascadeError> {
    let known = ledger.sources().await?.into_iter().find(|source| source.sender == *hearing.sender);
    let same = known.as_ref().filter(|source| source.judged_by == rules(hearing.catalog));
    let (feed, after) = (same.map(|source| source.feed.clone()), same.map(|source| source.heard));
    let asked = Asked { feed, after, limit: None };
    Ok((known, asked))
}

/// Take the page that was asked for when the feed had been heard up to `known`. None: somebody else has taken it meanwhile, or
/// the sender is not to be heard any more.
pub async fn hear(
    ledger: &Ledger,
    hearing: Hearing<'_>,
    known: Option<Source>,
    page: Page,
    now: DateTime<Utc>,
) -> Result<Option<Heard>, CascadeError> {
    let (whole, last) = (page.next.is_none(), last_number(&page)?);
    let after = advance(hearing, known.as_ref(), &page, last, now)?;
    let nothing_new = known.as_ref().is_some_and(|known| {
        let confirmed = known.confirmed.is_some_and(|at| now - at < CONFIRM_EVERY);
        page.changes.is_empty() && confirmed && known.pass == after.pass && known.newest == after.newest
    });
    if whole && nothing_new {
        return Ok(Some(Heard { changed: 0, refused: Vec::new(), whole }));
    }
    let judge = Judge { own: hearing.own, sender: hearing.sender, catalog: hearing.catalog };
    let (mut entries, mut refused) = (Vec::new(), Vec::new());
    for change in page.changes {
        let name = format!("`{}` of `{}`", word(&change["dataset"]), word(&change["origin"]));
        match judge.judge(change) {
            Ok(entry) => entries.push(entry),
            Err(not) => {
                refused.push(format!("{name}: {}", not.reason));
                entries.extend(not.named);
            }
        }
    }
    let origins = whole.then(|| {
        // Nobody vouches for a time that has not come, nor for this node.
        let others = page.origins.into_iter().filter(|(node, _)| node != hearing.own).take(ORIGINS_MAX);
        others.map(|(node, at)| (node, at.min(now))).chain([(hearing.sender.clone(), now)]).collect()
    });
    let taken = ledger.take_harvest(&Harvested { before: known, after, entries, origins }, now).await?;
    let Taken::Done { changed, refused: conflicts } = taken else { return Ok(None) };
    let conflict = |(origin, dataset): (NodeId, DatasetId)| {
        format!("`{dataset}` of `{origin}`: another node has told of it, or there are too many")
    };
    refused.extend(conflicts.into_iter().map(conflict));
    Ok(Some(Heard { changed, refused, whole }))
}

/// The last number of the page. They grow, and `next` is the last.
fn last_number(page: &Page) -> Result<i64, CascadeError> {
    let wrong = |reason: &str| Err(CascadeError::Page { reason: reason.to_owned() });
    let mut last = page.from;
    for change in &page.changes {
        match change["number"].as_i64() {
            Some(number) if number > last => last = number,
            _ => return wrong("its numbers do not grow"),
        }
    }
    match page.next {
        Some(next) if next != last || next == page.from => wrong("it does not go on where it ends"),
        _ if page.newest < last => wrong("it has numbers after its newest"),
        _ => Ok(last),
    }
}

/// How far the sender is heard with this page.
fn advance(
    hearing: Hearing<'_>,
    known: Option<&Source>,
    page: &Page,
    last: i64,
    now: DateTime<Utc>,
) -> Result<Source, CascadeError> {
    let judged_by = rules(hearing.catalog);
    let goes_on = known.filter(|known| {
        known.feed == page.feed
            && known.judged_by == judged_by
            && known.heard == page.from
            && page.newest >= known.heard
    });
    let pass = match (goes_on, known) {
        (Some(known), _) => known.pass,
        (None, _) if page.from != 0 => {
            return Err(CascadeError::Page { reason: "it is not the part that was asked for".to_owned() });
        }
        (None, known) => known.map_or(1, |known| known.pass + 1),
    };
    let confirmed = if page.next.is_none() { Some(now) } else { known.and_then(|known| known.confirmed) };
    let (sender, feed) = (hearing.sender.clone(), page.feed.clone());
    Ok(Source { sender, feed, judged_by, pass, heard: last, newest: page.newest, confirmed })
}

/// How many changes of a feed, as it is now, were not heard yet, at most.
pub fn lag(source: Option<&Source>, feed: &FeedMark) -> i64 {
    let heard = source.filter(|source| source.feed == feed.id && source.heard <= feed.newest);
    feed.newest - heard.map_or(0, |source| source.heard)
}

fn word(value: &serde_json::Value) -> String {
    const CHARS_MAX: usize = 64;
    value.as_str().unwrap_or("?").chars().filter(|c| !c.is_control()).take(CHARS_MAX).collect()
}
