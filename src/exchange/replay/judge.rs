//! Each question decided again, and what differs counted.

use std::collections::BTreeMap;

use super::{
    Baseline, ReplayPlan,
    read::{Asked, DAY_BYTES, Questions, Said},
    report::{Counts, Flip, FlipKind, PolicyFlips, Replay, Tally, Undecidable},
};
use crate::{
    exchange::recorded::{ById, Found, by_id},
    identifiers::{DatasetId, DepartmentId, ItemCode},
    policy::{Decision, Difference, Question},
};

/// Flips listed. What comes beyond is still in the counts.
const FLIPS_MAX: usize = 1_000;

pub(super) fn judge(questions: &Questions, plan: &ReplayPlan<'_>) -> Replay {
    let mut judge = Judge {
        plan,
        agreements: by_id(plan.agreements),
        differences: plan.in_force.differences(plan.candidate),
        undecidable: BTreeMap::new(),
        drifts: Flips::default(),
        flips: Flips::default(),
    };
    judge.beyond_reading("the record cannot be read", &questions.unreadable);
    judge.beyond_reading("there are more different questions than are kept", &questions.beyond);
    let mut asked: Vec<_> = questions.asked.iter().collect();
    // Questions that differ in their day only stand beside each other then, and their decisions are made once.
    asked.sort_by_key(|(key, _)| *key);
    for same in asked.chunk_by(|(a, _), (b, _)| a[..a.len() - DAY_BYTES] == b[..b.len() - DAY_BYTES]) {
        judge.questions_of_days(same);
    }
    let Judge { differences, undecidable, drifts, flips, .. } = judge;
    Replay {
        in_force: plan.in_force.hash().to_owned(),
        candidate: plan.candidate.hash().to_owned(),
        since: plan.since,
        until: plan.until,
        complete: true,
        records: questions.records_seen,
        calls: questions.calls,
        decided: questions.decided,
        refused_before: questions.refused,
        questions: questions.asked.len() as u64,
        undecidable: undecidable.into_iter().map(|(reason, tally)| Undecidable { reason, tally }).collect(),
        drift: drifts.total(),
        drifts: drifts.listed(),
        flipped: flips.total(),
        by_department: flips.by(|flip| flip.department.clone()),
        by_dataset: flips.by(|flip| flip.dataset.clone()),
        by_item: flips.by(|flip| flip.item.clone()),
        by_policy: by_policy(&differences, &flips, plan.examples_max),
        flips: flips.listed(),
    }
}

struct Judge<'a> {
    plan: &'a ReplayPlan<'a>,
    agreements: ById<'a>,
    differences: BTreeMap<String, Difference>,
    undecidable: BTreeMap<String, Tally>,
    drifts: Flips,
    flips: Flips,
}

/// What the sets say to one question, and the policies that make the difference.
struct Decided {
    now: Said,
    candidate: Said,
    because_of: Vec<String>,
}

impl Judge<'_> {
    fn beyond_reading(&mut self, reason: &str, tally: &Tally) {
        if tally.calls > 0 {
            self.undecidable.insert(reason.to_owned(), tally.clone());
        }
    }

    /// One question on some days.
    fn questions_of_days(&mut self, same: &[(&Vec<u8>, &Asked)]) {
        let Some((_, first)) = same.first() else { return };
        let found = match Found::find(&first.question, self.plan.catalog, &self.agreements) {
            Ok(found) => found,
            Err(reason) => {
                let undecidable = self.undecidable.entry(reason).or_default();
                let tallies = same.iter().flat_map(|(_, asked)| &asked.said);
                tallies.for_each(|(_, tally)| undecidable.merge(tally.clone(), self.plan.examples_max));
                return;
            }
        };
        // A day counts only by what is in force on it.
        let mut decided: Vec<((bool, Option<bool>), Decided)> = Vec::new();
        for (_, asked) in same {
            let day = asked.question.day();
            let agreed = found.agreement.map(|agreement| agreement.is_in_force_on(day));
            let in_force = (found.item.is_in_force_on(day), agreed);
            let position = decided.iter().position(|(known, _)| *known == in_force).unwrap_or_else(|| {
                decided.push((in_force, self.decide(&found.question(&asked.question))));
                decided.len() - 1
            });
            for (recorded, tally) in &asked.said {
                self.compare(&found, recorded, &decided[position].1, tally);
            }
        }
    }

    fn decide(&self, question: &Question<'_>) -> Decided {
        let ReplayPlan { in_force, candidate, .. } = self.plan;
        let (now, then) = (said(&in_force.decide(question)), said(&candidate.decide(question)));
        let because_of = match now == then {
            true => Vec::new(),
            false => in_force.telling(candidate, &self.differences, question),
        };
        Decided { now, candidate: then, because_of }
    }

    fn compare(&mut self, found: &Found<'_>, recorded: &Said, decided: &Decided, tally: &Tally) {
        let Decided { now, candidate, because_of } = decided;
        let examples_max = self.plan.examples_max;
        if let Some(kind) = flip_kind(recorded, now) {
            self.drifts.add(FlipKey::new(kind, found, recorded, now, Vec::new()), tally, examples_max);
        }
        let before = match self.plan.baseline {
            Baseline::InForce => now,
            Baseline::Record => recorded,
        };
        if let Some(kind) = flip_kind(before, candidate) {
            self.flips.add(FlipKey::new(kind, found, before, candidate, because_of.clone()), tally, examples_max);
        }
    }
}

fn said(decision: &Decision) -> Said {
    Said { allow: decision.allows(), policies: decision.policies().to_vec(), obligations: decision.obligation_words() }
}

fn flip_kind(before: &Said, after: &Said) -> Option<FlipKind> {
    match (before.allow, after.allow) {
        (true, false) => Some(FlipKind::AllowToDeny),
        (false, true) => Some(FlipKind::DenyToAllow),
        _ if !one_way(&before.obligations, &after.obligations).is_empty()
            || !one_way(&after.obligations, &before.obligations).is_empty() =>
        {
            Some(FlipKind::Obligations)
        }
        _ if before.policies != after.policies => Some(FlipKind::Reasons),
        _ => None,
    }
}

/// What is in one list and not in the other.
fn one_way(of: &[String], not_in: &[String]) -> Vec<String> {
    of.iter().filter(|word| !not_in.contains(word)).cloned().collect()
}

/// Calls that flip in the same way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct FlipKey {
    kind: FlipKind,
    department: DepartmentId,
    dataset: DatasetId,
    item: ItemCode,
    because_of: Vec<String>,
    before: Vec<String>,
    after: Vec<String>,
    obligations_added: Vec<String>,
    obligations_removed: Vec<String>,
}

impl FlipKey {
    fn new(kind: FlipKind, found: &Found<'_>, before: &Said, after: &Said, because_of: Vec<String>) -> Self {
        let obliges = kind == FlipKind::Obligations;
        let differ = |of: &Said, not_in: &Said| match obliges {
            true => one_way(&of.obligations, &not_in.obligations),
            false => Vec::new(),
        };
        Self {
            kind,
            department: found.department.id.clone(),
            dataset: found.dataset.id.clone(),
            item: found.item.code.clone(),
            because_of,
            before: before.policies.clone(),
            after: after.policies.clone(),
            obligations_added: differ(after, before),
            obligations_removed: differ(before, after),
        }
    }
}

#[derive(Default)]
struct Flips(BTreeMap<FlipKey, Tally>);

impl Flips {
    fn add(&mut self, key: FlipKey, tally: &Tally, examples_max: usize) {
        self.0.entry(key).or_default().merge(tally.clone(), examples_max);
    }

    fn total(&self) -> Counts {
        self.by(|_| ()).remove(&()).unwrap_or_default()
    }

    fn by<K: Ord>(&self, of: impl Fn(&FlipKey) -> K) -> BTreeMap<K, Counts> {
        let mut counted: BTreeMap<K, Counts> = BTreeMap::new();
        for (key, tally) in &self.0 {
            counted.entry(of(key)).or_default().add(key.kind, tally.calls);
        }
        counted
    }

    fn listed(&self) -> Vec<Flip> {
        let flip = |(key, tally): (&FlipKey, &Tally)| {
            let key = key.clone();
            Flip {
                kind: key.kind,
                department: key.department,
                dataset: key.dataset,
                item: key.item,
                because_of: key.because_of,
                before: key.before,
                after: key.after,
                obligations_added: key.obligations_added,
                obligations_removed: key.obligations_removed,
                tally: tally.clone(),
            }
        };
        let mut flips: Vec<_> = self.0.iter().map(flip).collect();
        // A stable sort: what is as frequent stays in the order of its names.
        flips.sort_by_key(|flip| std::cmp::Reverse(flip.tally.calls));
        flips.truncate(FLIPS_MAX);
        flips
    }
}

fn by_policy(differences: &BTreeMap<String, Difference>, flips: &Flips, examples_max: usize) -> Vec<PolicyFlips> {
    let of = |(policy, difference): (&String, &Difference)| {
        let (mut counts, mut shown) = (Counts::default(), Tally::default());
        for (key, tally) in flips.0.iter().filter(|(key, _)| key.because_of.contains(policy)) {
            counts.add(key.kind, tally.calls);
            shown.merge(tally.clone(), examples_max);
        }
        let examples = shown.call_ids().map(str::to_owned).collect();
        PolicyFlips { policy: policy.clone(), difference: *difference, counts, examples }
    };
    differences.iter().map(of).collect()
}
