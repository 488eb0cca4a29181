//! The log, read as fast as it can be: of each record only what a decision depends on, counted by question.

use std::{borrow::Borrow, collections::HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, de::IgnoredAny};

use super::report::Tally;
use crate::{
    audit::{AuditError, LogPart},
    exchange::recorded::{Recorded, china_day_and_hour, manner},
    policy::Depends,
};

/// Records are in the order in which they were finished, times are those of arrival: so much may they be apart. A part
/// that ends before the window by more than this has nothing before it either.
const DISORDER: TimeDelta = TimeDelta::hours(1);

/// Different questions that are kept. Half a kilobyte each; a month of a province has some ten thousand. What comes beyond
/// is counted, and not decided.
const QUESTIONS_MAX: usize = 1_000_000;

/// Bytes of the day at the end of a key.
pub(super) const DAY_BYTES: usize = 8;

/// Which calls are read, and what of them matters.
pub(super) struct Window {
    pub(super) since: DateTime<Utc>,
    pub(super) until: DateTime<Utc>,
    pub(super) depends: Depends,
    pub(super) examples_max: usize,
}

/// What is read of a record. Names hold nothing that JSON would escape, so that all can be borrowed.
#[derive(Deserialize)]
struct Line<'a> {
    call_id: &'a str,
    time: &'a str,
    operation: &'a str,
    decision: &'a str,
    client: Option<&'a str>,
    department: Option<&'a str>,
    item: Option<&'a str>,
    case: Option<IgnoredAny>,
    agreement: Option<&'a str>,
    dataset: Option<&'a str>,
    subject_field: Option<&'a str>,
    #[serde(default)]
    suspicion: u8,
    channel: Option<&'a str>,
    origin: Option<&'a str>,
    #[serde(default)]
    volume: u8,
    consent: Option<IgnoredAny>,
    operator: Option<IgnoredAny>,
    approver: Option<IgnoredAny>,
    #[serde(borrow, default)]
    fields: Vec<&'a str>,
    #[serde(borrow, default)]
    policies: Vec<&'a str>,
    #[serde(borrow, default)]
    obligations: Vec<&'a str>,
}

/// What was said to it, as it was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Said {
    pub(super) allow: bool,
    pub(super) policies: Vec<String>,
    pub(super) obligations: Vec<String>,
}

impl Said {
    /// The same without its own memory; obligations in their order in the record.
    fn is(&self, allow: bool, policies: &[&str], obligations: &[&str]) -> bool {
        self.allow == allow && self.policies == policies && self.obligations == obligations
    }
}

/// One question with all that was said to it.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) question: Recorded,
    /// Nearly always one.
    pub(super) said: Vec<(Said, Tally)>,
}

/// All questions of a log.
#[derive(Debug, Default)]
pub(super) struct Questions {
    /// By a key in which the day stands last.
    pub(super) asked: HashMap<Vec<u8>, Asked>,
    /// Records read at all, for the progress.
    pub(super) records_seen: u64,
    /// Calls in the window; of them those that policy decided, and those that were refused before.
    pub(super) calls: u64,
    pub(super) decided: u64,
    pub(super) refused: u64,
    /// Records that could not be read, and calls of more questions than are kept.
    pub(super) unreadable: Tally,
    pub(super) beyond: Tally,
    key: Vec<u8>,
}

impl Questions {
    /// Read a part. `false`: it lies before the window as a whole.
    pub(super) fn read(&mut self, part: LogPart, window: &Window) -> Result<bool, AuditError> {
        let mut newest: Option<DateTime<Utc>> = None;
        part.each(|index, payload| {
            self.records_seen += 1;
            match self.take(index, payload, window) {
                Some(time) => newest = newest.max(Some(time)),
                None => self.unreadable.add(index, &format!("record {index}"), window.examples_max),
            }
        })?;
        Ok(newest.is_none_or(|newest| newest + DISORDER >= window.since))
    }

    /// Count a record; its time, where it could be read.
    fn take(&mut self, index: u64, payload: &[u8], window: &Window) -> Option<DateTime<Utc>> {
        let mut line: Line<'_> = serde_json::from_slice(payload).ok()?;
        let time = DateTime::parse_from_rfc3339(line.time).ok()?.to_utc();
        let discloses = match line.operation {
            "verification" => false,
            "disclosure" => true,
            _ => return Some(time),
        };
        if time < window.since || time >= window.until {
            return Some(time);
        }
        self.calls += 1;
        let allow = match line.decision {
            "allow" => true,
            "deny" => false,
            _ => {
                self.refused += 1;
                return Some(time);
            }
        };
        self.decided += 1;
        line.fields.sort_unstable();
        let (day, hour) = china_day_and_hour(time);
        self.write_key(&line, discloses, day, hour, window.depends);
        let kept = self.asked.len();
        let asked = match self.asked.get_mut::<[u8]>(self.key.borrow()) {
            Some(asked) => asked,
            None if kept >= QUESTIONS_MAX => {
                self.beyond.add(index, line.call_id, window.examples_max);
                return Some(time);
            }
            None => {
                let question = line.question(discloses, day, hour)?;
                self.asked.entry(self.key.clone()).or_insert(Asked { question, said: Vec::new() })
            }
        };
        asked.count(allow, &line, index, window.examples_max);
        Some(time)
    }

    /// Lengths stand before texts, so that no two questions run together.
    fn write_key(&mut self, line: &Line<'_>, discloses: bool, day: i64, hour: u32, depends: Depends) {
        let key = &mut self.key;
        key.clear();
        let mut part = |text: Option<&str>| {
            let length = text.map_or(u16::MAX, |text| u16::try_from(text.len()).unwrap_or(u16::MAX - 1));
            key.extend(length.to_be_bytes());
            key.extend(text.unwrap_or_default().as_bytes());
        };
        for text in
            [line.department, line.dataset, line.item, line.agreement, line.subject_field, line.channel, line.origin]
        {
            part(text);
        }
        part(line.client.filter(|_| depends.client));
        line.fields.iter().for_each(|field| part(Some(field)));
        key.extend([u8::from(discloses), u8::from(line.case.is_some())]);
        key.extend(line.given().map(u8::from));
        key.push(if depends.volume { line.volume } else { u8::MAX });
        key.push(if depends.hour { u8::try_from(hour).unwrap_or(u8::MAX) } else { u8::MAX });
        key.push(line.suspicion);
        key.extend(day.to_be_bytes());
    }

    /// Take in what another reader has counted.
    pub(super) fn merge(&mut self, other: Self, examples_max: usize) {
        self.records_seen += other.records_seen;
        self.calls += other.calls;
        self.decided += other.decided;
        self.refused += other.refused;
        self.unreadable.merge(other.unreadable, examples_max);
        self.beyond.merge(other.beyond, examples_max);
        for (key, asked) in other.asked {
            match self.asked.entry(key) {
                std::collections::hash_map::Entry::Vacant(vacant) => drop(vacant.insert(asked)),
                std::collections::hash_map::Entry::Occupied(mut own) => own.get_mut().merge(asked, examples_max),
            }
        }
    }
}

impl Asked {
    fn count(&mut self, allow: bool, line: &Line<'_>, index: u64, examples_max: usize) {
        let same = |(said, _): &&mut (Said, Tally)| said.is(allow, &line.policies, &line.obligations);
        if let Some((_, tally)) = self.said.iter_mut().find(same) {
            tally.add(index, line.call_id, examples_max);
            return;
        }
        let said = Said { allow, policies: owned(&line.policies), obligations: owned(&line.obligations) };
        let mut tally = Tally::default();
        tally.add(index, line.call_id, examples_max);
        self.said.push((said, tally));
    }

    fn merge(&mut self, other: Self, examples_max: usize) {
        for (said, tally) in other.said {
            match self.said.iter_mut().find(|(own, _)| *own == said) {
                Some((_, own)) => own.merge(tally, examples_max),
                None => self.said.push((said, tally)),
            }
        }
    }
}

impl Line<'_> {
    /// Consent, operator and approver: are they named?
    fn given(&self) -> [bool; 3] {
        [self.consent.is_some(), self.operator.is_some(), self.approver.is_some()]
    }

    /// What a call that was decided always has.
    fn question(&self, discloses: bool, day: i64, hour: u32) -> Option<Recorded> {
        let text = |member: Option<&str>| member.map(str::to_owned);
        Some(Recorded {
            discloses,
            client: text(self.client)?,
            department: text(self.department)?,
            dataset: text(self.dataset)?,
            item: text(self.item)?,
            agreement: text(self.agreement),
            subject_field: text(self.subject_field)?,
            fields: owned(&self.fields),
            case_present: self.case.is_some(),
            day,
            hour,
            suspicion: self.suspicion,
            origin: text(self.origin),
            manner: manner(self.channel, self.volume, self.given()),
        })
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}
