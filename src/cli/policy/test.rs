//! `shuqiao policy test`: the cases beside the policies, put to them.

use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;
use serde_json::json;

use super::{
    ground::{self, GroundArgs},
    list, plural,
};
use crate::{
    cli::home::Home,
    policy::{PolicyFiles, PolicySet, Trial, Tried, try_cases},
};

#[derive(Debug, Args)]
pub(super) struct TestArgs {
    /// Directory of the policies; the cases are in `tests` there [default: policies, else that of the node in --dir].
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Exit with 1 where the cases make less of the policies decide than this, in percent.
    #[arg(long, value_name = "PERCENT", default_value_t = 0.0, value_parser = percent)]
    coverage_min: f64,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    ground: GroundArgs,
}

fn percent(text: &str) -> Result<f64, String> {
    text.parse().ok().filter(|share| (0.0..=100.0).contains(share)).ok_or_else(|| "write 0 to 100".to_owned())
}

pub(super) fn run(args: &TestArgs, home: &Home) -> anyhow::Result<ExitCode> {
    let mut out = BufWriter::new(io::stdout().lock());
    let directory = ground::folder(args.directory.as_ref(), home)?;
    let read = PolicyFiles::read(&directory).and_then(|files| files.set().map(|set| (files, set)));
    let (files, set) = match read {
        Ok(read) => read,
        Err(error) if error.complaints().is_empty() => return Err(error.into()),
        Err(error) => return list(error.complaints(), &mut out),
    };
    let cases = match ground::cases(&files, &set, &args.ground.load(home)?) {
        Ok(cases) => cases,
        Err(complaints) => return list(&complaints, &mut out),
    };
    let trial = try_cases(&set, &cases);
    if args.json {
        writeln!(out, "{:#}", as_json(&set, &trial))?;
    } else {
        print(&trial, &mut out)?;
    }
    let enough = trial.coverage() >= args.coverage_min;
    if !enough && !args.json {
        writeln!(out, "coverage is below the {} % asked for", args.coverage_min)?;
    }
    out.flush()?;
    Ok(if trial.failed() == 0 && enough { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn print(trial: &Trial, out: &mut impl Write) -> io::Result<()> {
    for Tried { name, place, decision, failures } in &trial.cases {
        let mark = if failures.is_empty() { "ok  " } else { "FAIL" };
        let said = if decision.allows() { "allow" } else { "deny " };
        writeln!(out, "{mark} {said} {name}  [{}]", decision.policies().join(", "))?;
        for failure in failures {
            writeln!(out, "     {place}: {failure}")?;
        }
    }
    writeln!(out)?;
    for (id, cases) in &trial.decided {
        let said = if *cases == 0 { "decides no case" } else { "" };
        writeln!(out, "{cases:>4} {id}  {said}")?;
    }
    let (all, failed) = (trial.cases.len(), trial.failed());
    writeln!(
        out,
        "\n{all} case{}, {failed} failed; {:.0} % of the policies decide a case",
        plural(all),
        trial.coverage()
    )
}

fn as_json(set: &PolicySet, trial: &Trial) -> serde_json::Value {
    let case = |tried: &Tried| {
        json!({
            "name": tried.name,
            "place": tried.place,
            "decision": if tried.decision.allows() { "allow" } else { "deny" },
            "policies": tried.decision.policies(),
            "obligations": tried.decision.obligation_words(),
            "passed": tried.failures.is_empty(),
            "failures": tried.failures,
        })
    };
    json!({
        "policy_set": set.hash(),
        "cases": trial.cases.iter().map(case).collect::<Vec<_>>(),
        "failed": trial.failed(),
        "decided": trial.decided,
        "uncovered": trial.uncovered().collect::<Vec<_>>(),
        "coverage": trial.coverage(),
    })
}
