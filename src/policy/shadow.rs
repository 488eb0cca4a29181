//! Policies that look like locks and are none: they can never hold, or where they hold another settles the call anyway.
//!
//! Pure. Conditions are brought into the form "this and this, or that and that" (`terms`) and held against each other. The
//! check finds only what it can prove: it may pass over a policy that is shadowed, it never accuses one that is not.

mod terms;

use super::{PolicySet, anatomy::Anatomy};
use terms::{Term, terms_of};

/// What is doubtful about a policy that is well formed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    pub policy: String,
    pub kind: DoubtKind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DoubtKind {
    /// Its conditions contradict each other, or ask for what no call is.
    NeverMatches,
    /// A permit: wherever it holds, one of these forbids does.
    AlwaysForbidden { by: Vec<String> },
    /// Wherever it holds, this one does, with the same effect and at least its obligations.
    Covered { by: String },
    /// The same conditions as that one, with the same effect and obligations.
    Duplicate { of: String },
    /// No case of the tests makes it decide.
    Untested,
}

impl Doubt {
    /// One line, lower case, without the policy's name.
    pub fn message(&self) -> String {
        match &self.kind {
            DoubtKind::NeverMatches => "can never hold: its conditions contradict each other".to_owned(),
            DoubtKind::AlwaysForbidden { by } => format!("permits only what {} always forbids", named(by)),
            DoubtKind::Covered { by } => format!("wherever it holds, `{by}` holds too: it changes nothing"),
            DoubtKind::Duplicate { of } => format!("says the same as `{of}`"),
            DoubtKind::Untested => "decides no case of the tests".to_owned(),
        }
    }

    pub fn remedy(&self) -> &'static str {
        match self.kind {
            DoubtKind::NeverMatches => "Correct its conditions, or remove it",
            DoubtKind::AlwaysForbidden { .. } | DoubtKind::Covered { .. } => "Correct one of them, or remove it",
            DoubtKind::Duplicate { .. } => "Remove one of the two",
            DoubtKind::Untested => "Add a case that it decides",
        }
    }
}

fn named(ids: &[String]) -> String {
    ids.iter().map(|id| format!("`{id}`")).collect::<Vec<_>>().join(" or ")
}

/// A policy with the terms of its conditions; none where there are too many to hold against each other.
struct Weighed<'a> {
    id: &'a str,
    permits: bool,
    terms: Vec<Term>,
}

impl PolicySet {
    /// Everything that is doubtful, in the order of the policies' names.
    pub fn doubts(&self) -> Vec<Doubt> {
        let (mut doubts, mut weighed) = (Vec::new(), Vec::new());
        for (id, rule) in &self.rules {
            let policy = self.cedar.policy(&cedar_policy::PolicyId::new(id));
            let Some(terms) = policy.and_then(Anatomy::of).and_then(|anatomy| terms_of(&anatomy)) else { continue };
            if terms.is_empty() {
                doubts.push(Doubt { policy: id.clone(), kind: DoubtKind::NeverMatches });
            } else {
                weighed.push(Weighed { id, permits: rule.permits, terms });
            }
        }
        for (index, one) in weighed.iter().enumerate() {
            if let Some(kind) = always_forbidden(one, &weighed).or_else(|| self.covered(index, &weighed)) {
                doubts.push(Doubt { policy: one.id.to_owned(), kind });
            }
        }
        doubts.sort_by(|a, b| a.policy.cmp(&b.policy));
        doubts
    }

    /// Another of the same effect that holds wherever this one does, and obliges to as much.
    fn covered(&self, index: usize, all: &[Weighed<'_>]) -> Option<DoubtKind> {
        let one = &all[index];
        let rule = |weighed: &Weighed<'_>| self.rules.get(weighed.id);
        for (position, other) in all.iter().enumerate() {
            if position == index || other.permits != one.permits || !implies(&one.terms, &other.terms) {
                continue;
            }
            let (own, others) = (rule(one)?, rule(other)?);
            // One that opens nothing cannot stand for one that does.
            if others.qualifies && !own.qualifies || !own.obliging.is_within(&others.obliging) {
                continue;
            }
            let same = implies(&other.terms, &one.terms)
                && own.qualifies == others.qualifies
                && others.obliging.is_within(&own.obliging);
            match (same, position < index) {
                (true, true) => return Some(DoubtKind::Duplicate { of: other.id.to_owned() }),
                (true, false) => {} // The later of the two is named.
                (false, _) => return Some(DoubtKind::Covered { by: other.id.to_owned() }),
            }
        }
        None
    }
}

/// Is every call that a permit permits forbidden?
fn always_forbidden(one: &Weighed<'_>, all: &[Weighed<'_>]) -> Option<DoubtKind> {
    if !one.permits {
        return None;
    }
    let forbids = |term: &Term| {
        all.iter()
            .find(|other| !other.permits && other.terms.iter().any(|wider| term.implies(wider)))
            .map(|found| found.id)
    };
    let mut by: Vec<_> =
        one.terms.iter().map(forbids).collect::<Option<Vec<_>>>()?.into_iter().map(str::to_owned).collect();
    by.sort();
    by.dedup();
    Some(DoubtKind::AlwaysForbidden { by })
}

fn implies(narrow: &[Term], wide: &[Term]) -> bool {
    narrow.iter().all(|term| wide.iter().any(|wider| term.implies(wider)))
}
