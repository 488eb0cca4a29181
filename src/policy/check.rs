//! Do the policies hold together? Parsed, named, validated strictly, held against what the node says of a call.
//!
//! Uses the catalogue's way of complaining. Promises to collect every complaint with its file, line, column and policy.

use std::{collections::BTreeMap, str::FromStr};

use cedar_policy::{Effect, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator};
use miette::Diagnostic;

use super::{
    files::{Rule, SCHEMA_FILE},
    obligations::Obliging,
};
use crate::catalog::{
    Complaint,
    complaint::{Complaints, Position, on_one_line, quoted},
};

/// A file's name and its text.
type Source = (String, String);

/// Characters of a message of Cedar's that are passed on.
const MESSAGE_CHARS_MAX: usize = 400;

/// Every policy under its own id, with what its annotations say. `fits` holds the schema against what the node says.
pub(super) fn policies(
    schema: &str,
    sources: &[&Source],
    fits: impl FnOnce(&Schema) -> Result<(), String>,
) -> Result<(PolicySet, BTreeMap<String, Rule>), Vec<Complaint>> {
    let mut inspection =
        Inspection { cedar: PolicySet::new(), taken: BTreeMap::new(), complaints: Complaints::new(), found: 0 };
    for source in sources {
        inspection.read(source);
    }
    if inspection.found == 0 {
        let remedy = "Put *.cedar files beside the schema";
        inspection.complaints.push(complaint(SCHEMA_FILE, Position::START, "", "there is no policy", remedy));
    }
    match Schema::from_cedarschema_str(schema) {
        Ok((schema, _)) => {
            if let Err(reason) = fits(&schema) {
                let message = format!("the schema is not what the node says of a call: {reason}");
                let remedy = "Use the schema that came with this version of the node";
                inspection.complaints.push(complaint(SCHEMA_FILE, Position::START, "", &message, remedy));
            }
            inspection.validate(schema);
        }
        Err(error) => {
            let place = position(schema, offset(&error).unwrap_or(0));
            inspection.complaints.push(of_cedar(SCHEMA_FILE, place, "", &error.to_string(), &error));
        }
    }
    let Inspection { cedar, taken, complaints, .. } = inspection;
    complaints.into_result()?;
    Ok((cedar, taken.into_iter().map(|(id, taken)| (id, taken.rule)).collect()))
}

/// A file that is neither policy nor schema.
pub(super) fn unknown_file(name: String) -> Complaint {
    let remedy = "Name it *.cedar if it holds policies, tests/*.yaml if it holds cases, else move it out of the folder";
    complaint(&name, Position::START, "", "the file is neither schema nor policies", remedy)
}

/// A policy that could be named, with where it stands.
struct Taken<'s> {
    rule: Rule,
    source: &'s Source,
    start: usize,
}

struct Inspection<'s> {
    cedar: PolicySet,
    taken: BTreeMap<String, Taken<'s>>,
    complaints: Complaints,
    /// Policies seen, sound or not, and files that could not be read into any.
    found: usize,
}

impl<'s> Inspection<'s> {
    fn read(&mut self, source: &'s Source) {
        let (file, text) = source;
        let parsed = match PolicySet::from_str(text) {
            Ok(parsed) => parsed,
            Err(errors) => {
                self.found += 1;
                for error in errors.iter() {
                    let place = position(text, offset(error).unwrap_or(0));
                    self.complaints.push(of_cedar(file, place, "", &error.to_string(), error));
                }
                return;
            }
        };
        for template in parsed.templates() {
            self.found += 1;
            let start = text.find(&template.to_cedar()).unwrap_or(0);
            let remedy = "Write a policy without slots";
            self.complaints.push(complaint(file, position(text, start), "", "templates are not supported", remedy));
        }
        // Cedar gives no position for a policy as a whole, but keeps its text: look that up, in the order of the file.
        let mut next = 0;
        for policy in parsed.policies() {
            self.found += 1;
            let own = policy.to_cedar().unwrap_or_default();
            let start = text.get(next..).and_then(|rest| rest.find(&own)).map_or(next, |found| next + found);
            next = start + own.len();
            self.take(policy, source, start);
        }
    }

    /// Add a policy under its own id.
    fn take(&mut self, policy: &Policy, source: &'s Source, start: usize) {
        let (file, text) = source;
        let place = position(text, start);
        let mut object = |id: &str, message: String, remedy: &str| {
            self.complaints.push(complaint(file, place, id, &message, remedy));
        };
        let id = match policy.annotation("id") {
            Some(id) if is_kebab(id) => id,
            Some(id) => return object("", format!("the id {} is not in kebab-case", quoted(id)), "Rename it"),
            None => return object("", "the policy has no id".to_owned(), "Add `@id(\"in-kebab-case\")`"),
        };
        let why = policy.annotation("why").map(str::trim).unwrap_or_default();
        if why.is_empty() {
            object(id, "the policy does not say why".to_owned(), "Add `@why(\"...\")`: a refused caller is told");
        }
        let permits = policy.effect() == Effect::Permit;
        let (mut obliging, mut qualifies) = (Obliging::default(), false);
        for (key, value) in policy.annotations().filter(|(key, _)| !matches!(*key, "id" | "why")) {
            let understood = match (key, value) {
                ("qualifies", "true") => {
                    qualifies = true;
                    Ok(())
                }
                ("qualifies", _) => Err("`@qualifies` is `true` or left out".to_owned()),
                _ => obliging.understand(key, value),
            };
            if let Err(reason) = understood {
                object(id, reason, "Correct the annotation");
            } else if !permits {
                object(id, format!("the policy forbids, so `@{key}` has no effect"), "Put it on a permit");
            }
        }
        if qualifies && obliging == Obliging::default() {
            object(id, "the permit qualifies others, and obliges to nothing".to_owned(), "Add an obligation");
        }
        if let Some(first) = self.taken.get(id) {
            let (file, line) = (&first.source.0, position(&first.source.1, first.start).line);
            return object(id, format!("the id stands at {file}:{line} already"), "Rename one of them");
        }
        if let Err(error) = self.cedar.add(policy.new_id(PolicyId::new(id))) {
            return object(id, on_one_line(&error.to_string(), MESSAGE_CHARS_MAX), "Rename it");
        }
        let rule = Rule { permits, why: why.to_owned(), file: file.clone(), position: place, qualifies, obliging };
        self.taken.insert(id.to_owned(), Taken { rule, source, start });
    }

    /// Warnings count: a policy that can never hold is a lock that somebody believes to be shut.
    fn validate(&mut self, schema: Schema) {
        let result = Validator::new(schema).validate(&self.cedar, ValidationMode::Strict);
        let errors = result.validation_errors().filter_map(|error| self.said_by_cedar(error.policy_id(), error));
        // A policy with an error often warrants a warning that follows from it.
        let wrong: Vec<_> = result.validation_errors().map(|error| error.policy_id()).collect();
        let warnings = result.validation_warnings().filter(|warning| !wrong.contains(&warning.policy_id()));
        let warnings = warnings.filter_map(|warning| self.said_by_cedar(warning.policy_id(), warning));
        let mut found: Vec<_> = errors.chain(warnings).collect();
        // Cedar judges once for each action, in no fixed order: one complaint about a place is enough.
        let place = |c: &Complaint| (c.file.clone(), c.line, c.column, c.path.clone());
        found.sort_by_key(|complaint| (place(complaint), complaint.message.clone()));
        found.dedup_by_key(|complaint| place(complaint));
        found.into_iter().for_each(|complaint| self.complaints.push(complaint));
    }

    fn said_by_cedar<D: Diagnostic>(&self, id: &PolicyId, fault: &D) -> Option<Complaint> {
        let id: &str = id.as_ref();
        let Taken { source: (file, text), start, .. } = self.taken.get(id)?;
        let message = fault.to_string();
        let message = message.strip_prefix(&format!("for policy `{id}`, ")).unwrap_or(&message);
        let place = position(text, offset(fault).unwrap_or(*start));
        Some(of_cedar(file, place, id, message, fault))
    }
}

fn complaint(file: &str, place: Position, policy: &str, message: &str, remedy: &str) -> Complaint {
    Complaint {
        file: file.to_owned(),
        line: place.line,
        column: place.column,
        path: policy.to_owned(),
        message: message.to_owned(),
        remedy: remedy.to_owned(),
    }
}

fn of_cedar(file: &str, place: Position, policy: &str, message: &str, fault: &dyn Diagnostic) -> Complaint {
    let remedy = fault.help().map_or_else(|| "Correct it".to_owned(), |help| help.to_string());
    let line = |text: &str| on_one_line(text, MESSAGE_CHARS_MAX);
    complaint(file, place, policy, &line(message), &line(&remedy))
}

/// Where Cedar points, in bytes.
fn offset(fault: &dyn Diagnostic) -> Option<usize> {
    fault.labels().and_then(|mut labels| labels.next()).map(|label| label.offset())
}

fn position(text: &str, offset: usize) -> Position {
    let before = text.get(..offset).unwrap_or_default();
    let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
    Position { line: count(before.matches('\n').count() + 1), column: count(column + 1) }
}

fn is_kebab(id: &str) -> bool {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    !id.is_empty() && id.bytes().all(inner) && !id.starts_with('-') && !id.ends_with('-')
}
