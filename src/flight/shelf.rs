//! What was asked and not fetched yet: statements behind tickets, and prepared ones.
//!
//! A note on the shelf is no right: whoever fetches is identified again, must be the account that asked, and everything is
//! decided again. Notes live in this process, are few, and go after a time.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{catalog::Value, identifiers::ClientId};

/// How long a ticket waits to be fetched.
const TICKET_LIFE: TimeDelta = TimeDelta::seconds(60);
/// How long a prepared statement is kept after its last use.
const PREPARED_LIFE: TimeDelta = TimeDelta::minutes(30);
/// Most notes; past that the oldest goes. Each is at most a statement of 16 KiB and its parameters.
const NOTES_MAX: usize = 1_024;

/// A statement as it was asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Note {
    pub(super) account: ClientId,
    pub(super) text: String,
    pub(super) parameters: Vec<Option<Value>>,
    pub(super) item: Option<String>,
    pub(super) case: Option<String>,
}

#[derive(Debug)]
struct Kept {
    note: Note,
    until: DateTime<Utc>,
    prepared: bool,
    /// Of a ticket that is being answered.
    running: Option<CancellationToken>,
}

/// What became of a wish to cancel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cancelled {
    /// It will not be answered.
    Yes,
    /// There is no such statement of this account, or it was answered.
    No,
}

#[derive(Debug, Default)]
pub(super) struct Shelf(Mutex<HashMap<Bytes, Kept>>);

impl Shelf {
    /// A ticket for a statement.
    pub(super) fn put(&self, note: Note, now: DateTime<Utc>) -> Bytes {
        self.keep(note, now, false)
    }

    /// A handle of a prepared statement.
    pub(super) fn prepare(&self, note: Note, now: DateTime<Utc>) -> Bytes {
        self.keep(note, now, true)
    }

    /// The statement of a ticket, once; with what ends it early.
    pub(super) fn begin(
        &self,
        handle: &Bytes,
        account: &ClientId,
        now: DateTime<Utc>,
    ) -> Option<(Note, CancellationToken)> {
        self.with(handle, account, now, |kept| {
            if kept.prepared || kept.running.is_some() {
                return None;
            }
            let cancel = CancellationToken::new();
            kept.running = Some(cancel.clone());
            Some((kept.note.clone(), cancel))
        })
    }

    /// A ticket was answered, or will not be.
    pub(super) fn end(&self, handle: &Bytes) {
        self.lock().remove(handle);
    }

    pub(super) fn prepared(&self, handle: &Bytes, account: &ClientId, now: DateTime<Utc>) -> Option<Note> {
        self.with(handle, account, now, |kept| {
            kept.until = now + PREPARED_LIFE;
            kept.prepared.then(|| kept.note.clone())
        })
    }

    /// Bind the parameters of a prepared statement.
    pub(super) fn bind(
        &self,
        handle: &Bytes,
        account: &ClientId,
        parameters: Vec<Option<Value>>,
        now: DateTime<Utc>,
    ) -> Option<()> {
        self.with(handle, account, now, |kept| {
            kept.note.parameters = parameters;
            kept.prepared.then_some(())
        })
    }

    pub(super) fn close(&self, handle: &Bytes, account: &ClientId) {
        let mut notes = self.lock();
        if notes.get(handle).is_some_and(|kept| kept.note.account == *account) {
            notes.remove(handle);
        }
    }

    pub(super) fn cancel(&self, handle: &Bytes, account: &ClientId, now: DateTime<Utc>) -> Cancelled {
        let found = self.with(handle, account, now, |kept| Some(kept.running.take()));
        match found {
            Some(running) => {
                self.end(handle);
                if let Some(running) = running {
                    running.cancel();
                }
                Cancelled::Yes
            }
            None => Cancelled::No,
        }
    }

    fn keep(&self, note: Note, now: DateTime<Utc>, prepared: bool) -> Bytes {
        // Random, so that nobody guesses another's; and useless to anybody else all the same.
        let handle = Bytes::copy_from_slice(Uuid::new_v4().as_bytes());
        let until = now + if prepared { PREPARED_LIFE } else { TICKET_LIFE };
        let mut notes = self.lock();
        notes.retain(|_, kept| now < kept.until);
        if notes.len() >= NOTES_MAX
            && let Some(oldest) = notes.iter().min_by_key(|(_, kept)| kept.until).map(|(handle, _)| handle.clone())
        {
            notes.remove(&oldest);
        }
        notes.insert(handle.clone(), Kept { note, until, prepared, running: None });
        handle
    }

    fn with<T>(
        &self,
        handle: &Bytes,
        account: &ClientId,
        now: DateTime<Utc>,
        look: impl FnOnce(&mut Kept) -> Option<T>,
    ) -> Option<T> {
        let mut notes = self.lock();
        let kept = notes.get_mut(handle).filter(|kept| kept.note.account == *account && now < kept.until)?;
        look(kept)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Bytes, Kept>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(account: &str) -> Note {
        let text = "select 1".to_owned();
        Note { account: account.parse().unwrap(), text, parameters: Vec::new(), item: None, case: None }
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn a_ticket_is_fetched_once_in_time_and_by_who_asked() {
        let (shelf, anna) = (Shelf::default(), "anna".parse().unwrap());
        let ticket = shelf.put(note("anna"), at(0));
        assert_eq!(shelf.begin(&ticket, &"ben".parse().unwrap(), at(1)).map(|found| found.0), None);
        assert!(shelf.begin(&ticket, &anna, at(1)).is_some());
        assert!(shelf.begin(&ticket, &anna, at(1)).is_none(), "a second time");
        let late = shelf.put(note("anna"), at(0));
        assert!(shelf.begin(&late, &anna, at(60)).is_none());
        assert!(shelf.prepared(&late, &anna, at(1)).is_none(), "a ticket is no prepared statement");
    }

    #[test]
    fn a_prepared_statement_lives_while_it_is_used() {
        let (shelf, anna) = (Shelf::default(), "anna".parse().unwrap());
        let handle = shelf.prepare(note("anna"), at(0));
        for minutes in [29, 58, 87] {
            assert!(shelf.prepared(&handle, &anna, at(minutes * 60)).is_some());
        }
        shelf.bind(&handle, &anna, vec![None], at(87 * 60)).unwrap();
        assert_eq!(shelf.prepared(&handle, &anna, at(87 * 60)).unwrap().parameters, [None]);
        assert!(shelf.begin(&handle, &anna, at(87 * 60)).is_none(), "it is no ticket");
        assert!(shelf.prepared(&handle, &anna, at(117 * 60)).is_none());
        let other = shelf.prepare(note("anna"), at(0));
        shelf.close(&other, &"ben".parse().unwrap());
        assert!(shelf.prepared(&other, &anna, at(1)).is_some());
        shelf.close(&other, &anna);
        assert!(shelf.prepared(&other, &anna, at(1)).is_none());
    }

    #[test]
    fn who_asked_may_cancel_before_and_while_it_runs() {
        let (shelf, anna) = (Shelf::default(), "anna".parse().unwrap());
        let (waiting, running) = (shelf.put(note("anna"), at(0)), shelf.put(note("anna"), at(0)));
        let (_, token) = shelf.begin(&running, &anna, at(1)).unwrap();
        assert_eq!(shelf.cancel(&running, &"ben".parse().unwrap(), at(1)), Cancelled::No);
        assert!(!token.is_cancelled());
        assert_eq!(shelf.cancel(&running, &anna, at(1)), Cancelled::Yes);
        assert!(token.is_cancelled());
        assert_eq!(shelf.cancel(&waiting, &anna, at(1)), Cancelled::Yes);
        assert_eq!(shelf.cancel(&waiting, &anna, at(1)), Cancelled::No);
    }

    #[test]
    fn the_shelf_is_bounded() {
        let shelf = Shelf::default();
        let first = shelf.put(note("anna"), at(0));
        for _ in 0..NOTES_MAX {
            shelf.put(note("anna"), at(1));
        }
        assert_eq!(shelf.lock().len(), NOTES_MAX);
        assert!(!shelf.lock().contains_key(&first));
    }
}
