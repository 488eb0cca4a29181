//! Conditions as "this and this, or that and that".
//!
//! A [`Term`] is what must all be so; a policy holds at most where one of its terms is fulfilled. Whatever is not a
//! comparison with a constant is taken as a fact by its very text. Evaluation errors need no thought here: one denies the
//! call whatever else holds, so it makes no doubt untrue.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::policy::anatomy::{Anatomy, attribute_of_has, operands, path, paths};

/// More terms than this are not held against each other: the number can double with every `||`.
const TERMS_MAX: usize = 256;

/// Whole numbers that the node says: between these, both included.
const RANGES: [(&str, i64, i64); 5] = [
    ("context.hour", 0, 23),
    ("context.suspicion", 0, 3),
    ("context.volume", 0, 100),
    ("context.sensitivity", 1, 4),
    ("resource.sensitivity", 1, 4),
];
/// Words that the node says: one of these.
const WORDS: [(&str, &[&str]); 3] = [
    ("resource.sharing", &["\"unconditional\"", "\"conditional\"", "\"not_shared\""]),
    ("context.channel", &["\"api\"", "\"peer\"", "\"uplink\""]),
    ("action", &["Shuqiao::Action::\"verify\"", "Shuqiao::Action::\"disclose\""]),
];
/// What is there only sometimes, and is there where an attribute of it is read.
const OPTIONAL: &str = "context.agreement";

/// What must all be so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Term {
    /// Facts by their text: true, or false.
    facts: BTreeMap<String, bool>,
    /// Attributes that are between two numbers, both included.
    ranges: BTreeMap<String, (i64, i64)>,
    /// Attributes that are one of some words, or none of some.
    equal: BTreeMap<String, String>,
    unequal: BTreeMap<String, BTreeSet<String>>,
}

impl Term {
    /// Is the other fulfilled wherever this one is?
    pub(super) fn implies(&self, other: &Self) -> bool {
        let facts = other.facts.iter().all(|(fact, truth)| self.facts.get(fact) == Some(truth));
        let within = |(attribute, (low, high)): (&String, &(i64, i64))| {
            let own = self.ranges.get(attribute).copied().or_else(|| said_range(attribute));
            own.is_some_and(|(least, most)| low <= &least && &most <= high)
        };
        let equal = other.equal.iter().all(|(attribute, word)| self.equal.get(attribute) == Some(word));
        let excludes = |attribute: &String, word: &String| {
            self.equal.get(attribute).is_some_and(|own| own != word)
                || self.unequal.get(attribute).is_some_and(|words| words.contains(word))
        };
        let unequal = other.unequal.iter().all(|(attribute, words)| words.iter().all(|word| excludes(attribute, word)));
        facts && equal && unequal && other.ranges.iter().all(within)
    }

    /// Both; nothing where they contradict each other.
    fn and(&self, other: &Self) -> Option<Self> {
        let mut both = self.clone();
        for (fact, truth) in &other.facts {
            if both.facts.insert(fact.clone(), *truth).is_some_and(|before| before != *truth) {
                return None;
            }
        }
        for (attribute, (low, high)) in &other.ranges {
            let (least, most) = both.ranges.get(attribute).copied().unwrap_or((*low, *high));
            let narrowed = (least.max(*low), most.min(*high));
            if narrowed.0 > narrowed.1 {
                return None;
            }
            both.ranges.insert(attribute.clone(), narrowed);
        }
        for (attribute, word) in &other.equal {
            if both.equal.insert(attribute.clone(), word.clone()).is_some_and(|before| before != *word) {
                return None;
            }
        }
        for (attribute, words) in &other.unequal {
            both.unequal.entry(attribute.clone()).or_default().extend(words.iter().cloned());
        }
        both.settled()
    }

    /// With what follows from the words the node says; nothing where none of them is left.
    fn settled(mut self) -> Option<Self> {
        let excluded = |(attribute, words): (&String, &BTreeSet<String>)| {
            self.equal.get(attribute).is_some_and(|word| words.contains(word))
        };
        if self.unequal.iter().any(excluded) {
            return None;
        }
        for (attribute, known) in WORDS {
            if let Some(word) = self.equal.get(attribute) {
                if !known.contains(&word.as_str()) {
                    return None;
                }
                continue;
            }
            let out = self.unequal.get(attribute).cloned().unwrap_or_default();
            let mut left = known.iter().filter(|word| !out.contains(**word));
            match (left.next(), left.next()) {
                (None, _) => return None,
                (Some(only), None) => {
                    self.equal.insert(attribute.to_owned(), (*only).to_owned());
                }
                (Some(_), Some(_)) => {}
            }
        }
        Some(self)
    }

    fn fact(text: String, truth: bool) -> Vec<Self> {
        vec![Self { facts: [(text, truth)].into(), ..Self::default() }]
    }

    fn range(attribute: String, low: i64, high: i64) -> Vec<Self> {
        let (least, most) = said_range(&attribute).unwrap_or((i64::MIN, i64::MAX));
        let (low, high) = (low.max(least), high.min(most));
        if low > high {
            Vec::new()
        } else {
            vec![Self { ranges: [(attribute, (low, high))].into(), ..Self::default() }]
        }
    }

    fn equals(attribute: String, word: String, truth: bool) -> Vec<Self> {
        let term = match truth {
            true => Self { equal: [(attribute, word)].into(), ..Self::default() },
            false => Self { unequal: [(attribute, [word].into())].into(), ..Self::default() },
        };
        term.settled().into_iter().collect()
    }
}

fn said_range(attribute: &str) -> Option<(i64, i64)> {
    RANGES.iter().find(|(name, ..)| *name == attribute).map(|(_, low, high)| (*low, *high))
}

/// Where a policy may hold: in one of these. Nothing where there are too many.
pub(super) fn terms_of(anatomy: &Anatomy) -> Option<Vec<Term>> {
    let mut terms = vec![Term::default()];
    for part in ["principal", "action", "resource"] {
        terms = all_of(&terms, &of_scope(part, anatomy.scope(part)))?;
    }
    for clause in anatomy.clauses() {
        terms = all_of(&terms, &of(clause.body, !clause.unless)?)?;
    }
    Some(terms)
}

fn of_scope(part: &str, constraint: &Value) -> Vec<Term> {
    let fact = || Term::fact(format!("{part} {constraint}"), true);
    match constraint["op"].as_str() {
        Some("All") => vec![Term::default()],
        Some("==") => entity(&constraint["entity"]).map_or_else(fact, |uid| Term::equals(part.to_owned(), uid, true)),
        // Actions are in no groups, so `in` a list is one of the list.
        Some("in") if part == "action" => {
            let listed =
                constraint["entities"].as_array().cloned().unwrap_or_else(|| vec![constraint["entity"].clone()]);
            let uids: Option<Vec<_>> = listed.iter().map(entity).collect();
            uids.map_or_else(fact, |uids| {
                uids.into_iter().flat_map(|uid| Term::equals(part.to_owned(), uid, true)).collect()
            })
        }
        _ => fact(),
    }
}

/// `Shuqiao::Action::"verify"`.
fn entity(value: &Value) -> Option<String> {
    Some(format!("{}::{:?}", value.get("type")?.as_str()?, value.get("id")?.as_str()?))
}

/// The terms under which an expression is true, or is false.
fn of(expression: &Value, truth: bool) -> Option<Vec<Term>> {
    if let Some(negated) = expression.get("!").and_then(|not| not.get("arg")) {
        return of(negated, !truth);
    }
    if let Some((left, right)) = operands(expression, "&&") {
        return joined(left, right, truth, truth);
    }
    if let Some((left, right)) = operands(expression, "||") {
        return joined(left, right, truth, !truth);
    }
    if let Some(parts) = expression.get("if-then-else") {
        let (asked, then, other) = (parts.get("if")?, parts.get("then")?, parts.get("else")?);
        let mut terms = all_of(&of(asked, true)?, &of(then, truth)?)?;
        terms.extend(all_of(&of(asked, false)?, &of(other, truth)?)?);
        return bounded(terms);
    }
    match expression.get("Value") {
        Some(Value::Bool(value)) if *value == truth => return Some(vec![Term::default()]),
        Some(Value::Bool(_)) => return Some(Vec::new()),
        _ => {}
    }
    let terms = compared(expression, truth).unwrap_or_else(|| Term::fact(fact_text(expression), truth));
    Some(with_presence(expression, terms))
}

/// Both of two expressions, or one of them.
fn joined(left: &Value, right: &Value, truth: bool, both: bool) -> Option<Vec<Term>> {
    let (mut left, right) = (of(left, truth)?, of(right, truth)?);
    if both {
        return all_of(&left, &right);
    }
    left.extend(right);
    bounded(left)
}

fn all_of(left: &[Term], right: &[Term]) -> Option<Vec<Term>> {
    let mut terms: Vec<Term> = Vec::new();
    for one in left {
        for term in right.iter().filter_map(|other| one.and(other)) {
            if !terms.contains(&term) {
                terms.push(term);
            }
        }
        if terms.len() > TERMS_MAX {
            return None;
        }
    }
    Some(terms)
}

fn bounded(terms: Vec<Term>) -> Option<Vec<Term>> {
    (terms.len() <= TERMS_MAX).then_some(terms)
}

/// A comparison of an attribute with a constant.
fn compared(expression: &Value, truth: bool) -> Option<Vec<Term>> {
    const MIRRORED: [(&str, &str); 6] =
        [("<", ">"), ("<=", ">="), (">", "<"), (">=", "<="), ("==", "=="), ("!=", "!=")];
    for (operator, mirrored) in MIRRORED {
        let Some((left, right)) = operands(expression, operator) else { continue };
        let (attribute, operator, constant) = match (path(left), right.get("Value")) {
            (Some(attribute), Some(constant)) => (attribute, operator, constant),
            _ => (path(right)?, mirrored, left.get("Value")?),
        };
        return match (constant, constant.as_i64()) {
            (_, Some(number)) => Some(with_number(&attribute, operator, number, truth)),
            (Value::Bool(value), _) => {
                let fact = fact_of_path(&attribute);
                Some(Term::fact(fact, (*value == truth) == (operator == "==")))
            }
            (Value::String(word), _) => Some(Term::equals(attribute, format!("{word:?}"), truth == (operator == "=="))),
            (Value::Object(_), _) => {
                let uid = entity(constant.get("__entity")?)?;
                Some(Term::equals(attribute, uid, truth == (operator == "==")))
            }
            _ => None,
        };
    }
    None
}

fn with_number(attribute: &str, operator: &str, number: i64, truth: bool) -> Vec<Term> {
    let range = |low: Option<i64>, high: Option<i64>| match (low, high) {
        (Some(low), Some(high)) => Term::range(attribute.to_owned(), low, high),
        // Beyond the largest number there is none.
        _ => Vec::new(),
    };
    let below = || range(Some(i64::MIN), number.checked_sub(1));
    let above = || range(number.checked_add(1), Some(i64::MAX));
    match (operator, truth) {
        ("<", true) | (">=", false) => below(),
        ("<=", true) | (">", false) => range(Some(i64::MIN), Some(number)),
        (">", true) | ("<=", false) => above(),
        (">=", true) | ("<", false) => range(Some(number), Some(i64::MAX)),
        ("==", true) | ("!=", false) => range(Some(number), Some(number)),
        _ => below().into_iter().chain(above()).collect(),
    }
}

/// The text that stands for an expression as a fact. `has` and a read attribute have one text however they are written.
fn fact_text(expression: &Value) -> String {
    if let Some(attribute) = path(expression) {
        return fact_of_path(&attribute);
    }
    match attribute_of_has(expression) {
        Some(attribute) => presence(&attribute),
        None => expression.to_string(),
    }
}

fn fact_of_path(path: &str) -> String {
    format!("is {path}")
}

fn presence(path: &str) -> String {
    format!("has {path}")
}

/// Where an attribute of an agreement has been read, there is an agreement.
fn with_presence(expression: &Value, terms: Vec<Term>) -> Vec<Term> {
    let inside = |path: &String| path.strip_prefix(OPTIONAL).is_some_and(|rest| rest.starts_with('.'));
    if !paths(expression).iter().any(inside) {
        return terms;
    }
    let there = Term { facts: [(presence(OPTIONAL), true)].into(), ..Term::default() };
    terms.iter().filter_map(|term| term.and(&there)).collect()
}
