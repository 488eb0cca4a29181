//! `shuqiao policy explain`: which policies decided, and which condition and attribute made them.

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::{Value, json};

use super::{
    ground::{self, GroundArgs, GroundOfCalls},
    list,
};
use crate::{
    audit,
    cli::home::Home,
    exchange::trials,
    identifiers::CallId,
    ledger::Ledger,
    policy::{Condition, Explanation, PolicyExplained, PolicyFiles, PolicySet, Verdict},
};

#[derive(Debug, Args)]
pub(super) struct ExplainArgs {
    /// The id of a recorded call, or a file of cases (as in `policies/tests`).
    #[arg(value_name = "CALL-ID|FILE")]
    what: String,
    /// Of a file, only the case of that name.
    #[arg(long, value_name = "NAME")]
    case: Option<String>,
    /// Directory of the policies [default: that of the node for a call; policies, else the node's, for a file].
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// Show every policy, not only those that decided or would have had to hold.
    #[arg(long)]
    all: bool,
    /// Print JSON instead of text.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    ground: GroundArgs,
}

pub(super) async fn run(args: &ExplainArgs, home: &Home, now: DateTime<Utc>) -> anyhow::Result<ExitCode> {
    let mut out = BufWriter::new(io::stdout().lock());
    let explained = match args.what.parse::<CallId>() {
        Ok(call) => vec![of_call(args, call, home, now).await?],
        Err(_) => match of_file(args, Path::new(&args.what), home)? {
            Ok(explained) => explained,
            Err(complaints) => return list(&complaints, &mut out),
        },
    };
    for Explained { title, notes, explanation } in &explained {
        if args.json {
            writeln!(out, "{:#}", as_json(title, notes, explanation))?;
        } else {
            print(title, notes, explanation, args.all, &mut out)?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

struct Explained {
    title: String,
    notes: Vec<String>,
    explanation: Explanation,
}

async fn of_call(args: &ExplainArgs, call: CallId, home: &Home, now: DateTime<Utc>) -> anyhow::Result<Explained> {
    let GroundOfCalls { ground, policies, log, ledger } =
        args.ground.load_for_calls(args.policies.as_deref(), home, now).await?;
    let log = log.with_context(|| format!("there is no node in `{}`", home.dir.display()))?;
    let record = audit::find(&log, &call)?;
    let record = record.with_context(|| format!("the audit log has no call {call}"))?;
    let then = match (&record.policy_set, ledger) {
        (Some(then), Some(ledger)) if args.policies.is_none() => decided_then(then, ledger).await?,
        _ => None,
    };
    let set = then.map_or(policies, Arc::new);
    let trials::Explained { time, notes, explanation } =
        trials::explained(&record, &ground.catalog, &ground.agreements, &set)?;
    Ok(Explained { title: format!("call {call} of {}", time.to_rfc3339()), notes, explanation })
}

/// The very set that decided a call, if the ledger has it.
async fn decided_then(hash: &str, ledger: Ledger) -> anyhow::Result<Option<PolicySet>> {
    let texts = ledger.policy_set_files(hash).await?;
    ledger.close().await;
    Ok(texts.map(|texts| PolicyFiles::from_texts(texts)?.set()).transpose()?)
}

type OfFile = Result<Vec<Explained>, Vec<crate::catalog::Complaint>>;

fn of_file(args: &ExplainArgs, file: &Path, home: &Home) -> anyhow::Result<OfFile> {
    let shown = || format!("`{}` is neither the id of a call nor a file that can be read", args.what);
    let text = std::fs::read_to_string(file).with_context(shown)?;
    let set = PolicyFiles::read(&ground::folder(args.policies.as_ref(), home)?)?.set()?;
    let files = PolicyFiles { cases: vec![(args.what.clone(), text)], ..PolicyFiles::default() };
    let cases = match ground::cases(&files, &set, &args.ground.load(home)?) {
        Ok(cases) => cases,
        Err(complaints) => return Ok(Err(complaints)),
    };
    let wanted = |name: &str| args.case.as_ref().is_none_or(|wanted| wanted == name);
    // Those about returns are few and have no conditions to be told one by one: their policies say why.
    let explained: Vec<_> = cases
        .iter()
        .filter(|case| case.to.is_none() && wanted(&case.name))
        .map(|case| Explained {
            title: format!("{}: {}", case.place, case.name),
            notes: Vec::new(),
            explanation: set.explain(&case.scenario.question()),
        })
        .collect();
    if explained.is_empty() {
        bail!("`{}` has no case of that name", args.what);
    }
    Ok(Ok(explained))
}

fn print(title: &str, notes: &[String], explanation: &Explanation, all: bool, out: &mut impl Write) -> io::Result<()> {
    let decision = &explanation.decision;
    writeln!(out, "{title}")?;
    let said = if decision.allows() { "allow" } else { "deny" };
    writeln!(out, "{said} by {}", decision.policies().join(", "))?;
    let words = decision.obligation_words();
    if !words.is_empty() {
        writeln!(out, "under the obligations {}", words.join(", "))?;
    }
    for note in notes {
        writeln!(out, "note: {note}")?;
    }
    for policy in explanation.policies.iter().filter(|policy| all || is_telling(policy, explanation)) {
        print_policy(policy, out)?;
    }
    writeln!(out)
}

/// Those that decided, those that could not be evaluated and, where nothing permits, the permits that might have.
fn is_telling(policy: &PolicyExplained, explanation: &Explanation) -> bool {
    let nothing_permits = !explanation.decision.allows() && !explanation.policies.iter().any(|policy| policy.decided);
    policy.decided
        || matches!(policy.verdict, Verdict::Failed(_))
        || (nothing_permits && policy.permits && policy.in_scope)
}

fn print_policy(policy: &PolicyExplained, out: &mut impl Write) -> io::Result<()> {
    let PolicyExplained { id, permits, why, decided, verdict, in_scope, conditions } = policy;
    let effect = if *permits { "permit" } else { "forbid" };
    let holds = match (verdict, decided) {
        (Verdict::Failed(reason), _) => format!("could not be evaluated: {reason}"),
        (Verdict::True, true) => "holds and decides".to_owned(),
        (Verdict::True, false) => "holds; a forbid outweighs it".to_owned(),
        _ if !in_scope => "speaks of another caller, operation or dataset".to_owned(),
        _ => "does not hold".to_owned(),
    };
    writeln!(out, "\n  {effect} {id}: {why}\n    {holds}")?;
    for Condition { unless, text, verdict, attributes, lacking } in conditions {
        let clause = if *unless { "unless" } else { "when" };
        writeln!(out, "    {clause} {text}: {}", verdict.as_str())?;
        for (path, value) in attributes {
            writeln!(out, "      {path} = {value}")?;
        }
        if let Some(lacking) = lacking {
            writeln!(out, "      {lacking}")?;
        }
    }
    Ok(())
}

fn as_json(title: &str, notes: &[String], explanation: &Explanation) -> Value {
    let condition = |condition: &Condition| {
        let attributes: serde_json::Map<_, _> =
            condition.attributes.iter().map(|(path, value)| (path.clone(), value.clone().into())).collect();
        json!({
            "clause": if condition.unless { "unless" } else { "when" },
            "text": condition.text,
            "verdict": condition.verdict.as_str(),
            "attributes": attributes,
            "lacking": condition.lacking,
        })
    };
    let policy = |policy: &PolicyExplained| {
        json!({
            "id": policy.id,
            "effect": if policy.permits { "permit" } else { "forbid" },
            "why": policy.why,
            "decided": policy.decided,
            "verdict": policy.verdict.as_str(),
            "in_scope": policy.in_scope,
            "conditions": policy.conditions.iter().map(condition).collect::<Vec<_>>(),
        })
    };
    json!({
        "of": title,
        "notes": notes,
        "decision": if explanation.decision.allows() { "allow" } else { "deny" },
        "decided_by": explanation.decision.policies(),
        "obligations": explanation.decision.obligation_words(),
        "policies": explanation.policies.iter().map(policy).collect::<Vec<_>>(),
    })
}
