//! Policies out of files: parsed, validated strictly, named.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    str::FromStr,
};

use aws_lc_rs::digest::{Context, SHA256};
use cedar_policy::{Effect, EntityTypeName, EntityUid, Policy, PolicyId, Schema, ValidationMode, Validator};
use miette::Diagnostic;

use super::obligations::Obliging;
use crate::problem::Code;

const SCHEMA_FILE: &str = "shuqiao.cedarschema";

/// Why a policy set cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    #[error("`{path}` could not be read")]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the policies do not hold together:\n{}", complaints.join("\n"))]
    Invalid { complaints: Vec<String> },
}

impl PolicyError {
    pub fn code(&self) -> Code {
        match self {
            Self::File { .. } => Code::StorageFailed,
            Self::Invalid { .. } => Code::PolicyInvalid,
        }
    }
}

/// What is known of a policy besides its conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Permits, or forbids.
    pub permits: bool,
    /// The sentence a refused caller is told.
    pub why: String,
    pub(super) obliging: Obliging,
}

/// Cedar's names of our types and actions, parsed once.
#[derive(Clone, Debug)]
pub(super) struct Names {
    pub(super) client: EntityTypeName,
    pub(super) department: EntityTypeName,
    pub(super) dataset: EntityTypeName,
    pub(super) verify: EntityUid,
    pub(super) disclose: EntityUid,
}

/// A validated set of policies.
#[derive(Debug)]
pub struct PolicySet {
    pub(super) cedar: cedar_policy::PolicySet,
    pub(super) rules: BTreeMap<String, Rule>,
    pub(super) names: Names,
    hash: String,
}

impl PolicySet {
    /// Read `shuqiao.cedarschema` and every `*.cedar` of a folder.
    pub fn load(folder: &Path) -> Result<Self, PolicyError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| PolicyError::File { path, source }
        };
        let read = |path: &Path| fs::read_to_string(path).map_err(failed(path));
        let schema = read(&folder.join(SCHEMA_FILE))?;
        let mut sources = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed(folder))? {
            let path = entry.map_err(failed(folder))?.path();
            if path.extension().is_some_and(|extension| extension == "cedar") {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                sources.push((name, read(&path)?));
            }
        }
        Self::from_sources(&schema, &sources)
    }

    /// The same from texts: file names with contents. Every complaint is collected.
    pub fn from_sources(schema: &str, sources: &[(String, String)]) -> Result<Self, PolicyError> {
        let mut complaints = Vec::new();
        let mut sources: Vec<_> = sources.iter().collect();
        sources.sort();
        let parsed_schema = Schema::from_cedarschema_str(schema).map(|(schema, _)| schema);
        let (mut cedar, mut rules) = (cedar_policy::PolicySet::new(), BTreeMap::new());
        for (file, text) in &sources {
            match cedar_policy::PolicySet::from_str(text) {
                Ok(parsed) => {
                    let written: Vec<_> = parsed.policies().cloned().collect();
                    let templates = parsed.templates().count();
                    if templates > 0 {
                        complaints.push(format!("{file}: {templates} templates stand in it. Write policies instead"));
                    }
                    for policy in written {
                        take(&policy, file, &mut cedar, &mut rules, &mut complaints);
                    }
                }
                Err(errors) => {
                    complaints.extend(errors.iter().map(|error| located(file, text, error, &error.to_string())))
                }
            }
        }
        if rules.is_empty() && complaints.is_empty() {
            complaints.push("there is no policy. Put *.cedar files beside the schema".to_owned());
        }
        match parsed_schema {
            Ok(parsed) => complaints.extend(validate(parsed, &cedar, &sources)),
            Err(error) => complaints.push(located(SCHEMA_FILE, schema, &error, &error.to_string())),
        }
        let names = names().map_err(|reason| PolicyError::Invalid { complaints: vec![reason] })?;
        if !complaints.is_empty() {
            return Err(PolicyError::Invalid { complaints });
        }
        Ok(Self { cedar, rules, names, hash: hash(schema, &sources) })
    }

    /// SHA-256 over the schema and every file with its name, in hex: the set's name in records and receipts.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Every policy by its id.
    pub fn rules(&self) -> impl Iterator<Item = (&str, &Rule)> {
        self.rules.iter().map(|(id, rule)| (id.as_str(), rule))
    }
}

/// Add a policy under its own id.
fn take(
    policy: &Policy,
    file: &str,
    cedar: &mut cedar_policy::PolicySet,
    rules: &mut BTreeMap<String, Rule>,
    complaints: &mut Vec<String>,
) {
    let Some(id) = policy.annotation("id").filter(|id| is_kebab(id)) else {
        complaints
            .push(format!("{file}: a policy has no `@id(\"in-kebab-case\")`: {}", first_line(&policy.to_string())));
        return;
    };
    let why = policy.annotation("why").unwrap_or_default();
    if why.is_empty() {
        complaints.push(format!("{file}: policy `{id}` has no `@why(\"...\")`, which a refused caller is told"));
    }
    let permits = policy.effect() == Effect::Permit;
    let mut obliging = Obliging::default();
    for (key, value) in policy.annotations().filter(|(key, _)| !matches!(*key, "id" | "why")) {
        if let Err(reason) = obliging.understand(key, value) {
            complaints.push(format!("{file}: policy `{id}`: {reason}"));
        } else if !permits {
            complaints.push(format!("{file}: policy `{id}` forbids, so `@{key}` has no effect. Put it on a permit"));
        }
    }
    if rules.insert(id.to_owned(), Rule { permits, why: why.to_owned(), obliging }).is_some() {
        complaints.push(format!("{file}: the id `{id}` stands twice"));
    } else if let Err(error) = cedar.add(policy.new_id(PolicyId::new(id))) {
        complaints.push(format!("{file}: policy `{id}`: {error}"));
    }
}

fn validate(schema: Schema, cedar: &cedar_policy::PolicySet, sources: &[&(String, String)]) -> Vec<String> {
    let result = Validator::new(schema).validate(cedar, ValidationMode::Strict);
    let complaint = |error: &cedar_policy::ValidationError| {
        let id = error.policy_id().to_string();
        let mark = format!("\"{id}\"");
        match sources.iter().find(|(_, text)| text.contains(&mark)) {
            Some((file, text)) => located(file, text, error, &format!("policy `{id}`: {error}")),
            None => format!("policy `{id}`: {error}"),
        }
    };
    result.validation_errors().map(complaint).collect()
}

/// `file:line:column: message`, with Cedar's help where it has some.
fn located(file: &str, text: &str, diagnostic: &dyn Diagnostic, message: &str) -> String {
    let offset = diagnostic.labels().and_then(|mut labels| labels.next()).map(|label| label.offset());
    let help = diagnostic.help().map(|help| format!(". {help}")).unwrap_or_default();
    match offset.and_then(|offset| text.get(..offset)) {
        Some(before) => {
            let line = before.matches('\n').count() + 1;
            let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
            format!("{file}:{line}:{column}: {message}{help}")
        }
        None => format!("{file}: {message}{help}"),
    }
}

fn names() -> Result<Names, String> {
    let kind = |name: &str| EntityTypeName::from_str(&format!("Shuqiao::{name}")).map_err(|error| error.to_string());
    let action =
        |name: &str| EntityUid::from_str(&format!("Shuqiao::Action::\"{name}\"")).map_err(|error| error.to_string());
    Ok(Names {
        client: kind("Client")?,
        department: kind("Department")?,
        dataset: kind("Dataset")?,
        verify: action("verify")?,
        disclose: action("disclose")?,
    })
}

fn is_kebab(id: &str) -> bool {
    let inner = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    !id.is_empty() && id.bytes().all(inner) && !id.starts_with('-') && !id.ends_with('-')
}

fn first_line(text: &str) -> String {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default().chars().take(80).collect()
}

/// Lengths stand before contents, so that no two sets of files run together to the same bytes.
fn hash(schema: &str, sources: &[&(String, String)]) -> String {
    let mut context = Context::new(&SHA256);
    let mut part = |text: &str| {
        context.update(&(text.len() as u64).to_be_bytes());
        context.update(text.as_bytes());
    };
    part(schema);
    for (file, text) in sources {
        part(file);
        part(text);
    }
    hex::encode(context.finish())
}
