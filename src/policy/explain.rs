//! Which policies decided, and which condition and attribute made each of them hold or not.
//!
//! Pure. Each policy is evaluated alone, then each of its conditions in the order of the text. The attributes shown are
//! those that policies see; there is no register value among them.

use cedar_policy::{Authorizer, Entities, EvalResult, Expression, Policy, Request, eval_expression};
use serde_json::Value;

use super::{
    Decision, PolicySet, Question,
    anatomy::{self, Anatomy, Clause},
};

/// What a set says to a question, policy by policy.
#[derive(Clone, Debug)]
pub struct Explanation {
    pub decision: Decision,
    /// Those that decided first, then in alphabetical order.
    pub policies: Vec<PolicyExplained>,
}

/// One policy, evaluated by itself.
#[derive(Clone, Debug)]
pub struct PolicyExplained {
    pub id: String,
    pub permits: bool,
    pub why: String,
    pub decided: bool,
    pub verdict: Verdict,
    /// Does it speak of this caller, operation and dataset at all?
    pub in_scope: bool,
    pub conditions: Vec<Condition>,
}

/// One condition of a policy: what stands between two `&&`.
#[derive(Clone, Debug)]
pub struct Condition {
    /// Does it stand in `unless`?
    pub unless: bool,
    pub text: String,
    pub verdict: Verdict,
    /// What it reads, with the values in this question.
    pub attributes: Vec<(String, String)>,
    /// What a set lacks, where the condition asks whether one set holds another.
    pub lacking: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    True,
    False,
    /// The condition before it settled it.
    NotReached,
    /// It could not be evaluated; this denies the call.
    Failed(String),
}

impl Verdict {
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::True => "true",
            Self::False => "false",
            Self::NotReached => "not reached",
            Self::Failed(_) => "failed",
        }
    }
}

/// A question in Cedar's terms, to be asked of one policy at a time.
struct Bench {
    authorizer: Authorizer,
    request: Request,
    entities: Entities,
}

impl PolicySet {
    /// Decide a question and say why.
    pub fn explain(&self, question: &Question<'_>) -> Explanation {
        let decision = self.decide(question);
        // A question that cannot be put is denied, and there is nothing to evaluate.
        let Ok(asked) = question.in_cedar(&self.names, None) else {
            return Explanation { decision, policies: Vec::new() };
        };
        let bench = Bench { authorizer: Authorizer::new(), request: asked.request, entities: asked.entities };
        let mut policies: Vec<_> =
            self.cedar.policies().filter_map(|policy| self.explained(policy, &decision, &bench)).collect();
        policies.sort_by(|a, b| (!a.decided, &a.id).cmp(&(!b.decided, &b.id)));
        Explanation { decision, policies }
    }

    fn explained(&self, policy: &Policy, decision: &Decision, bench: &Bench) -> Option<PolicyExplained> {
        let id = policy.id().to_string();
        let rule = self.rules.get(&id)?;
        let anatomy = Anatomy::of(policy)?;
        let in_scope = anatomy.scope_alone().is_some_and(|scope| bench.verdict(scope) == Verdict::True);
        let conditions =
            if in_scope { anatomy.clauses().flat_map(|c| bench.conditions(c)).collect() } else { Vec::new() };
        Some(PolicyExplained {
            permits: rule.permits,
            why: rule.why.clone(),
            decided: decision.policies().contains(&id),
            verdict: bench.verdict(policy.clone()),
            in_scope,
            conditions,
            id,
        })
    }
}

impl Bench {
    /// Does the policy hold, all by itself?
    fn verdict(&self, policy: Policy) -> Verdict {
        let set = match cedar_policy::PolicySet::from_policies([policy]) {
            Ok(set) => set,
            Err(error) => return Verdict::Failed(error.to_string()),
        };
        let response = self.authorizer.is_authorized(&self.request, &set, &self.entities);
        let mut errors = response.diagnostics().errors();
        match errors.next() {
            Some(error) => Verdict::Failed(error.to_string()),
            None if response.diagnostics().reason().next().is_some() => Verdict::True,
            None => Verdict::False,
        }
    }

    fn conditions(&self, clause: Clause<'_>) -> Vec<Condition> {
        let mut settled = false;
        let mut conditions = Vec::new();
        for part in anatomy::conjuncts(clause.body) {
            let verdict = match (settled, anatomy::where_true(part)) {
                (true, _) => Verdict::NotReached,
                (false, Some(policy)) => self.verdict(policy),
                (false, None) => Verdict::Failed("the condition could not be taken apart".to_owned()),
            };
            settled |= verdict != Verdict::True;
            conditions.push(Condition {
                unless: clause.unless,
                text: anatomy::written(part),
                verdict,
                attributes: self.attributes(part),
                lacking: self.lacking(part),
            });
        }
        conditions
    }

    /// The value of an expression; none where something that it reads is absent.
    fn ask(&self, expression: &Expression) -> Option<EvalResult> {
        eval_expression(&self.request, &self.entities, expression).ok()
    }

    fn attributes(&self, part: &Value) -> Vec<(String, String)> {
        let value = |path: String| {
            let asked = path.parse().ok().and_then(|expression| self.ask(&expression));
            let said = asked.map_or_else(|| "absent".to_owned(), |value| shown(&value));
            (path, said)
        };
        anatomy::paths(part).into_iter().filter(|path| path.contains('.')).map(value).collect()
    }

    /// Of `a.containsAll(b)` what `b` has and `a` has not; of `a.contains(b)`, `b` where it is not in there.
    fn lacking(&self, part: &Value) -> Option<String> {
        let (part, all) = match part.get("!").and_then(|negated| negated.get("arg")) {
            Some(negated) => (negated, ["containsAll", "contains"]),
            None => (part, ["containsAll", "contains"]),
        };
        let (left, right) = all.iter().find_map(|operator| anatomy::operands(part, operator))?;
        let ask = |expression| anatomy::askable(expression).and_then(|asked| self.ask(&asked));
        let EvalResult::Set(held) = ask(left)? else { return None };
        let wanted: Vec<_> = match ask(right)? {
            EvalResult::Set(wanted) => wanted.iter().cloned().collect(),
            one => vec![one],
        };
        let missing: Vec<_> = wanted.iter().filter(|value| !held.contains(value)).map(shown).collect();
        (!missing.is_empty()).then(|| format!("{} lacks {}", anatomy::written(left), missing.join(", ")))
    }
}

/// A value as a steward would write it.
fn shown(value: &EvalResult) -> String {
    match value {
        EvalResult::Bool(value) => value.to_string(),
        EvalResult::Long(value) => value.to_string(),
        EvalResult::String(value) => format!("{value:?}"),
        EvalResult::EntityUid(uid) => uid.to_string(),
        EvalResult::Set(set) => format!("[{}]", set.iter().map(shown).collect::<Vec<_>>().join(", ")),
        EvalResult::Record(record) => {
            let members: Vec<_> = record.iter().map(|(name, value)| format!("{name}: {}", shown(value))).collect();
            format!("{{{}}}", members.join(", "))
        }
        EvalResult::ExtensionValue(value) => value.clone(),
    }
}
