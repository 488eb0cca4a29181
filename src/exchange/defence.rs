//! The enumeration defence on the road: step 4 asks how the client stands, step 5 hears of it, step 7 tells what came of
//! the call.
//!
//! Whether a client that is to be blocked is blocked, policy says (`enumeration-blocked`); slowing is a limit as others are.
//! What the steward should know waits here until the node's own task takes it.

use std::{
    collections::{HashSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrono::{DateTime, Utc};
use metrics::counter;

use super::{body::OutcomeWord, call::Call, shape::Shaped};
use crate::{
    audit::{Pseudonymiser, Record},
    catalog::{Catalog, FieldKind},
    engine::Found,
    enumeration::{
        Level, Marker, Notice, Outcome, Place, Seat, Sighting, Subject, Thresholds, Verdict, Watch, mark_of,
    },
    identifiers::{ClientId, DatasetId},
    identity::Caller,
    policy::Decision,
    problem::{Code, Problem},
    verification::Reason,
};

/// The policy that blocks; where it alone decides, the caller is told until when.
const BLOCKING_POLICY: &str = "enumeration-blocked";
/// Notices that wait. They come by the episode, so a thousand is a flood, of which the first part is enough.
const NOTICES_MAX: usize = 1_024;

/// The watch over all clients, and the secret by which it marks subjects.
pub struct Defence {
    watch: Watch,
    marker: Marker,
    notices: Mutex<VecDeque<Notice>>,
}

/// How the client of a call stands.
pub(super) struct Standing {
    seat: Arc<Seat>,
    pub(super) verdict: Verdict,
}

impl Defence {
    pub(super) fn new(thresholds: Thresholds, pseudonyms: &Pseudonymiser) -> Self {
        // Derived, so that there is no second secret to be kept as long as the first.
        let half = |name: &str| mark_of(&pseudonyms.pseudonym("enumeration-marker", name)).to_le_bytes();
        let mut secret = [0; 16];
        secret[..8].copy_from_slice(&half("one"));
        secret[8..].copy_from_slice(&half("other"));
        Self { watch: Watch::new(thresholds), marker: Marker::new(&secret), notices: Mutex::default() }
    }

    /// Step 4: how the client stands. One that is slowed is let through so many times a minute.
    pub(super) fn admit(&self, caller: &Caller, call: &Call, now: DateTime<Utc>) -> Result<Standing, Problem> {
        let seat = self.watch.seat(&caller.client, &caller.department, &call.dataset.id);
        if !self.watch.thresholds().enforced {
            return Ok(Standing { seat, verdict: Verdict::default() });
        }
        let verdict = self.watch.verdict(&seat, now);
        if verdict.level == Level::Slow
            && let Err(wait) = self.watch.admit_slowed(&seat, now)
        {
            let detail = format!("calls of client `{}` on dataset `{}` are slowed", caller.client, call.dataset.id);
            return Err(Problem::new(Code::EnumerationSlowed, detail)
                .remedy("Ask about the people before you; the data steward can lift this.")
                .retry_once_over(wait));
        }
        Ok(Standing { seat, verdict })
    }

    /// Step 7: take in what came of the call.
    pub(super) fn observe(
        &self,
        standing: &Standing,
        call: &Call,
        record: &Record,
        answered: (Option<&Found>, &Shaped),
        catalog: &Catalog,
        now: DateTime<Utc>,
    ) {
        let mark = mark_of(record.subject.as_deref().unwrap_or_default());
        let sighting = self.sighting(call, mark);
        let outcome = match answered {
            (None, shaped) => of_word(shaped.outcome), // another node's answer, or none
            (Some(found), _) if found.rows.is_empty() && is_elsewhere(call, catalog) => Outcome::NotFoundElsewhere,
            (Some(found), _) if found.rows.is_empty() => Outcome::NotFound,
            // Of applicants who have come from elsewhere there are many where a city sees its own only.
            (Some(_), shaped) if shaped.reason == Some(Reason::OutsideDivision) => Outcome::NotFoundElsewhere,
            (Some(_), shaped) => of_word(shaped.outcome),
        };
        self.take_in(&standing.seat, call, &sighting, outcome, now);
    }

    fn take_in(&self, seat: &Seat, call: &Call, sighting: &Sighting, outcome: Outcome, now: DateTime<Utc>) {
        if let Some(notice) = self.watch.observe(seat, &call.item.code, sighting, outcome, now) {
            self.note(notice);
        }
    }

    fn note(&self, notice: Notice) {
        counter!("shuqiao_enumeration_alerts_total", "signal" => notice.signal.as_str(), "level" => notice.level.as_str())
            .increment(1);
        let mut waiting = self.waiting();
        if waiting.len() < NOTICES_MAX {
            waiting.push_back(notice);
        }
    }

    fn waiting(&self) -> MutexGuard<'_, VecDeque<Notice>> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sighting(&self, call: &Call, mark: u64) -> Sighting {
        let kind = call.dataset.field(call.subject_field.as_str()).map(|(_, field)| &field.kind);
        match kind {
            Some(FieldKind::ResidentId) => match call.subject.parse() {
                Ok(id) => self.marker.sighting(Subject::Person(&id), mark),
                Err(_) => self.marker.sighting(Subject::Other(&call.subject), mark),
            },
            Some(FieldKind::CreditCode) => match call.subject.parse() {
                Ok(code) => self.marker.sighting(Subject::Body(&code), mark),
                Err(_) => self.marker.sighting(Subject::Other(&call.subject), mark),
            },
            _ => self.marker.sighting(Subject::Other(&call.subject), mark),
        }
    }

    /// Calls that the log remembers and the ledger does not: what they answered counts; in which order they went through the
    /// register, the log does not know.
    pub fn count_again(&self, record: &Record) {
        let (Some(client), Some(department)) = (&record.client, &record.department) else { return };
        let (Some(dataset), Some(item)) = (&record.dataset, &record.item) else { return };
        let Some(outcome) = record.outcome.as_deref().and_then(of_recorded) else { return };
        let seat = self.watch.seat(client, department, dataset);
        let mark = mark_of(record.subject.as_deref().unwrap_or_default());
        let sighting = self.marker.sighting(Subject::Other(""), mark);
        if let Some(notice) = self.watch.observe(&seat, item, &sighting, outcome, record.time) {
            self.note(notice);
        }
    }

    /// What the stewards should know; each notice is taken once.
    pub fn take_notices(&self) -> Vec<Notice> {
        self.waiting().drain(..).collect()
    }

    /// Notices that could not be delivered, to be taken again.
    pub fn put_back(&self, notices: Vec<Notice>) {
        let mut waiting = self.waiting();
        notices.into_iter().rev().for_each(|notice| waiting.push_front(notice));
    }

    /// What has changed since the last time, to be kept.
    pub fn changes(&self) -> Vec<(Place, Vec<u8>)> {
        self.watch.changes()
    }

    /// Take back what was kept.
    pub fn remember(&self, kept: impl IntoIterator<Item = (Place, Vec<u8>)>) {
        self.watch.remember(kept);
    }

    /// Pseudonyms of the records that nobody has reason to ask about.
    pub fn set_honey(&self, pseudonyms: &[String]) {
        self.watch.set_honey(pseudonyms.iter().map(|one| mark_of(one)).collect::<HashSet<_>>());
    }

    /// A steward has dismissed an alert.
    pub fn excuse(&self, client: &ClientId, dataset: &DatasetId, at: DateTime<Utc>) {
        self.watch.excuse(client, dataset, at);
    }

    /// For how long dismissed alerts matter.
    pub fn excused_for(&self) -> std::time::Duration {
        self.watch.thresholds().dismissed_for
    }
}

impl Standing {
    /// A refusal by policy for no other reason than that the client is blocked.
    pub(super) fn blocked(&self, decision: &Decision, now: DateTime<Utc>) -> Option<Problem> {
        let Decision::Deny { policies, reasons } = decision else { return None };
        if policies.iter().any(|policy| policy != BLOCKING_POLICY) {
            return None;
        }
        let wait = self.verdict.until.map_or(1, |until| (until - now).num_seconds().max(1).unsigned_abs());
        let problem = Problem::new(Code::EnumerationBlocked, reasons.join("; ")).policies(policies.clone());
        Some(problem.remedy("The data steward has been told and can lift this.").retry_after(wait))
    }
}

/// Did another province than the register's own give the number out?
fn is_elsewhere(call: &Call, catalog: &Catalog) -> bool {
    let kind = call.dataset.field(call.subject_field.as_str()).map(|(_, field)| &field.kind);
    let ours = catalog.departments.get(&call.dataset.provider).map(|provider| &provider.division.as_str()[..2]);
    kind == Some(&FieldKind::ResidentId) && ours.is_some_and(|ours| !call.subject.starts_with(ours))
}

fn of_word(word: OutcomeWord) -> Outcome {
    match word {
        OutcomeWord::Match | OutcomeWord::Found => Outcome::Match,
        OutcomeWord::Mismatch => Outcome::Mismatch,
        OutcomeWord::NotFound => Outcome::NotFound,
        OutcomeWord::Indeterminate => Outcome::Unanswered,
    }
}

fn of_recorded(word: &str) -> Option<Outcome> {
    let words = [
        OutcomeWord::Match,
        OutcomeWord::Found,
        OutcomeWord::Mismatch,
        OutcomeWord::NotFound,
        OutcomeWord::Indeterminate,
    ];
    words.into_iter().find(|one| one.as_str() == word).map(of_word)
}
