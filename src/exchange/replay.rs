//! Replay: every recorded call decided again, under a policy set that is not in force yet.
//!
//! Shows what a change would do before it does it. The audit log is read by several threads, a segment each; calls of the
//! same question are counted together, and each question is decided once. So the cost is that of reading the log.
//!
//! ```text
//! LogPart ──read──> Questions { question, what was said, calls, examples } ──judge──> Replay { flips, by whom, by which policy }
//! ```
//!
//! What a call was about, its agreement, its day and hour are those of the record. What the catalogue and the agreement say
//! of it is what they say now, because the log does not keep their contents: a call is undecidable where its dataset, item,
//! department, field or agreement is gone, and is named. Where the set in force would today decide otherwise than is
//! recorded, the data has changed since: that is drift, told apart from what the candidate changes.

mod judge;
mod read;
mod report;

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Instant,
};

use chrono::{DateTime, Utc};

pub use report::{Counts, Flip, FlipKind, PolicyFlips, Replay, Tally, Undecidable};

use crate::{
    agreements::Agreements,
    audit::{AuditError, LogPart},
    catalog::Catalog,
    policy::PolicySet,
};
use read::{Questions, Window};

/// Threads that read. Beyond a few the disk is the bound, and each holds a segment in memory.
const READERS_MAX: usize = 8;

/// What a candidate is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// What the set in force says today: the difference is the candidate's alone.
    InForce,
    /// What was said when the call was made.
    Record,
}

/// What is replayed, and under what.
pub struct ReplayPlan<'a> {
    pub catalog: &'a Catalog,
    pub agreements: &'a Agreements,
    pub in_force: &'a PolicySet,
    pub candidate: &'a PolicySet,
    pub baseline: Baseline,
    /// Calls that arrived from here on, and before there.
    pub since: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// Call ids given of each finding.
    pub examples_max: usize,
    /// No segment is begun after it; the latest calls are read first. None: all of the time is read.
    pub deadline: Option<Instant>,
    /// Told how many records have been read, now and then, from any thread.
    pub progress: &'a (dyn Fn(u64) + Sync),
}

/// Decide the calls of a log again. Blocks, on as many threads as there are cores.
pub fn replay(parts: Vec<LogPart>, plan: &ReplayPlan<'_>) -> Result<Replay, AuditError> {
    let depends = plan.in_force.depends().or(plan.candidate.depends());
    let window = Window { since: plan.since, until: plan.until, depends, examples_max: plan.examples_max };
    let (questions, complete) = read_all(parts, &window, plan)?;
    Ok(Replay { complete, ..judge::judge(&questions, plan) })
}

/// Read the parts, the newest first, until one lies before the window as a whole, or it is too late. Was all of it read?
fn read_all(parts: Vec<LogPart>, window: &Window, plan: &ReplayPlan<'_>) -> Result<(Questions, bool), AuditError> {
    // The last of the list is the newest segment.
    let left = Mutex::new(parts);
    let (enough, late) = (AtomicBool::new(false), AtomicBool::new(false));
    let is_late = || plan.deadline.is_some_and(|deadline| Instant::now() >= deadline);
    let reader = || -> Result<Questions, AuditError> {
        let mut questions = Questions::default();
        while !enough.load(Ordering::Relaxed) {
            let next = |left: &mut Vec<LogPart>| if is_late() { Err(left.is_empty()) } else { left.pop().ok_or(true) };
            let part = match next(&mut left.lock().unwrap_or_else(PoisonError::into_inner)) {
                Ok(part) => part,
                Err(nothing_left) => {
                    late.fetch_or(!nothing_left, Ordering::Relaxed);
                    break;
                }
            };
            let before = questions.records_seen;
            if !questions.read(part, window)? {
                enough.store(true, Ordering::Relaxed);
            }
            (plan.progress)(questions.records_seen - before);
        }
        Ok(questions)
    };
    let cores = thread::available_parallelism().map_or(1, std::num::NonZero::get).min(READERS_MAX);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..cores).map(|_| scope.spawn(reader)).collect();
        let mut all = Questions::default();
        for reader in readers {
            let questions = reader.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            all.merge(questions, window.examples_max);
        }
        let complete = !late.load(Ordering::Relaxed) || enough.load(Ordering::Relaxed);
        Ok((all, complete))
    })
}

#[cfg(test)]
mod tests;
