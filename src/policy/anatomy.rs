//! A policy taken apart: its scope, its conditions, the attributes that they read.
//!
//! Works on Cedar's JSON form of a policy, which keeps the structure of the text; Cedar's own syntax tree is not public.
//! Only for explanations and checks: a decision goes through none of this.

use std::{collections::BTreeSet, str::FromStr};

use cedar_policy::{Expression, Policy};
use serde_json::{Value, json};

/// A policy in parts.
pub(super) struct Anatomy {
    /// The whole in JSON.
    whole: Value,
}

/// `when` or `unless`, and what stands between the braces.
#[derive(Clone, Copy)]
pub(super) struct Clause<'a> {
    pub(super) unless: bool,
    pub(super) body: &'a Value,
}

impl Anatomy {
    pub(super) fn of(policy: &Policy) -> Option<Self> {
        policy.to_json().ok().map(|whole| Self { whole })
    }

    /// The constraint on `principal`, `action` or `resource`.
    pub(super) fn scope(&self, part: &str) -> &Value {
        &self.whole[part]
    }

    pub(super) fn clauses(&self) -> impl Iterator<Item = Clause<'_>> {
        let clauses = self.whole["conditions"].as_array().into_iter().flatten();
        clauses.map(|clause| Clause { unless: clause["kind"] == "unless", body: &clause["body"] })
    }

    /// The policy without its conditions: holds where its scope matches.
    pub(super) fn scope_alone(&self) -> Option<Policy> {
        let mut scope = self.whole.clone();
        scope["conditions"] = json!([]);
        Policy::from_json(None, scope).ok()
    }

    /// Is there an expression of which `is` says so, anywhere in it?
    pub(super) fn any(&self, is: &impl Fn(&Value) -> bool) -> bool {
        any(&self.whole, is)
    }
}

fn any(value: &Value, is: &impl Fn(&Value) -> bool) -> bool {
    is(value)
        || match value {
            Value::Array(elements) => elements.iter().any(|element| any(element, is)),
            Value::Object(members) => members.values().any(|member| any(member, is)),
            _ => false,
        }
}

/// A permit that holds exactly where the expression is true.
pub(super) fn where_true(expression: &Value) -> Option<Policy> {
    let all = json!({ "op": "All" });
    let whole = json!({
        "effect": "permit", "principal": all, "action": all, "resource": all,
        "conditions": [{ "kind": "when", "body": expression }],
    });
    Policy::from_json(None, whole).ok()
}

/// An expression as it would be written.
pub(super) fn written(expression: &Value) -> String {
    let text = where_true(expression).and_then(|policy| policy.to_cedar()).unwrap_or_default();
    let inside = text.split_once("when {").and_then(|(_, rest)| rest.rsplit_once('}'));
    inside.map_or_else(|| expression.to_string(), |(inside, _)| inside.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// An expression by which its value can be asked.
pub(super) fn askable(expression: &Value) -> Option<Expression> {
    Expression::from_str(&written(expression)).ok()
}

/// The operands of an operator, `&&` or `<=`, if the expression is one of it.
pub(super) fn operands<'a>(expression: &'a Value, operator: &str) -> Option<(&'a Value, &'a Value)> {
    let operands = expression.get(operator)?;
    Some((operands.get("left")?, operands.get("right")?))
}

/// What must be true for a conjunction to be true, one after the other.
pub(super) fn conjuncts(expression: &Value) -> Vec<&Value> {
    match operands(expression, "&&") {
        Some((left, right)) => conjuncts(left).into_iter().chain(conjuncts(right)).collect(),
        None => vec![expression],
    }
}

/// `context.item.in_force`, if the expression is an attribute of a variable, or of one of its attributes.
pub(super) fn path(expression: &Value) -> Option<String> {
    if let Some(variable) = expression.get("Var").and_then(Value::as_str) {
        return Some(variable.to_owned());
    }
    let access = expression.get(".")?;
    Some(format!("{}.{}", path(access.get("left")?)?, access.get("attr")?.as_str()?))
}

/// The attributes that an expression reads, the longest paths only. What is merely asked to be there is among them.
pub(super) fn paths(expression: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    collect_paths(expression, &mut found);
    found
}

fn collect_paths(expression: &Value, found: &mut BTreeSet<String>) {
    if let Some(path) = path(expression) {
        found.insert(path);
        return;
    }
    if let Some(attribute) = attribute_of_has(expression) {
        found.insert(attribute);
        return;
    }
    match expression {
        Value::Array(elements) => elements.iter().for_each(|element| collect_paths(element, found)),
        Value::Object(members) => members.values().for_each(|member| collect_paths(member, found)),
        _ => {}
    }
}

/// `context.agreement`, if the expression asks whether there is one.
pub(super) fn attribute_of_has(expression: &Value) -> Option<String> {
    let has = expression.get("has")?;
    Some(format!("{}.{}", path(has.get("left")?)?, attribute(has.get("attr")?)?))
}

/// The name in `has`, which may be a path of several.
fn attribute(name: &Value) -> Option<String> {
    match name {
        Value::String(name) => Some(name.clone()),
        Value::Array(names) => {
            let names: Option<Vec<_>> = names.iter().map(Value::as_str).collect();
            names.map(|names| names.join("."))
        }
        _ => None,
    }
}
