//! `shuqiao policy check`: do the policies hold together, and does each of them do something?

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::Args;

use super::{
    ground::{self, Ground, GroundArgs},
    list, plural,
};
use crate::{
    cli::home::Home,
    exchange::trials,
    policy::{Doubt, DoubtKind, PolicyFiles, PolicySet, try_cases},
};

#[derive(Debug, Args)]
pub(super) struct CheckArgs {
    /// Directory of the schema and the policies [default: policies, else that of the node in --dir].
    #[arg(value_name = "DIR")]
    directory: Option<PathBuf>,
    /// Exit with 1 for a warning too.
    #[arg(long)]
    deny_warnings: bool,
    #[command(flatten)]
    ground: GroundArgs,
}

pub(super) fn run(args: &CheckArgs, home: &Home) -> anyhow::Result<ExitCode> {
    let mut out = BufWriter::new(io::stdout().lock());
    let directory = ground::folder(args.directory.as_ref(), home)?;
    // Without a catalogue there is no telling what the cases come to; all else is checked.
    let ground = args.ground.load(home);
    let code = check(&directory, ground.as_ref().ok(), args.deny_warnings, &mut out)?;
    if let Err(error) = ground {
        writeln!(out, "the cases were not tried: {error}")?;
    }
    out.flush()?;
    Ok(code)
}

fn check(
    directory: &Path,
    ground: Option<&Ground>,
    deny_warnings: bool,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let read = PolicyFiles::read(directory).and_then(|files| files.set().map(|set| (files, set)));
    let (files, set) = match read {
        Ok(read) => read,
        Err(error) if error.complaints().is_empty() => return Err(error.into()),
        Err(error) => return list(error.complaints(), out),
    };
    let mut doubts = set.doubts();
    if let Some(ground) = ground.filter(|_| !files.cases.is_empty()) {
        match ground::cases(&files, &set, ground) {
            Ok(cases) => doubts.extend(untested(&set, &cases)),
            Err(complaints) => return list(&complaints, out),
        }
    }
    for (id, rule) in set.rules() {
        writeln!(out, "{} {id}: {}", if rule.permits { "permit" } else { "forbid" }, rule.why)?;
    }
    let warnings = trials::warnings(&set, &doubts);
    for warning in &warnings {
        writeln!(out, "warning: {warning}")?;
    }
    if !warnings.is_empty() {
        writeln!(out, "{} warning{}", warnings.len(), plural(warnings.len()))?;
    }
    writeln!(out, "policy set {}", set.hash())?;
    Ok(if deny_warnings && !warnings.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn untested(set: &PolicySet, cases: &[crate::policy::Case]) -> Vec<Doubt> {
    let trial = try_cases(set, cases);
    trial.uncovered().map(|id| Doubt { policy: id.to_owned(), kind: DoubtKind::Untested }).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, sync::Arc};

    use super::*;
    use crate::{agreements, catalog};

    fn checked(directory: &Path, deny_warnings: bool) -> (ExitCode, String) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogs");
        let catalog = Arc::new(catalog::load(&root.join("guangdong")).unwrap());
        let agreements = Arc::new(agreements::load(&root.join("guangdong-agreements.yaml"), &catalog).unwrap());
        let mut out = Vec::new();
        let code = check(directory, Some(&Ground { catalog, agreements }), deny_warnings, &mut out).unwrap();
        (code, String::from_utf8(out).unwrap())
    }

    fn policies() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
    }

    fn folder(text: &str) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        fs::copy(policies().join("shuqiao.cedarschema"), directory.path().join("shuqiao.cedarschema")).unwrap();
        fs::write(directory.path().join("a.cedar"), text).unwrap();
        directory
    }

    #[test]
    fn every_policy_is_listed_with_its_effect_and_reason_and_then_the_set() {
        let (code, out) = checked(&policies(), true);
        assert_eq!(code, ExitCode::SUCCESS, "{out}");
        assert!(out.contains("forbid agreement-required: no agreement covers this department"), "{out}");
        assert!(out.contains("permit verify-under-agreement: "), "{out}");
        let set = PolicySet::load(&policies()).unwrap();
        assert_eq!(out.lines().last().unwrap(), format!("policy set {}", set.hash()));
        assert_eq!(out.lines().count(), set.ids().count() + 1, "no warning about the set of the repository: {out}");
    }

    #[test]
    fn every_complaint_is_printed_and_the_exit_status_is_one() {
        let directory = folder("permit (principal, action, resource);\n\nforbid");
        fs::write(directory.path().join("b.cedar"), "permit (principal, action, resource);").unwrap();
        let (code, out) = checked(directory.path(), false);
        assert_eq!(code, ExitCode::FAILURE);
        assert!(out.contains("a.cedar:3:") && out.contains("b.cedar:1:1: the policy has no id. Add"), "{out}");
        assert!(out.ends_with("2 complaints\n"), "{out}");
    }

    #[test]
    fn warnings_have_their_place_and_fail_only_where_they_are_denied() {
        let text = "@id(\"all\") @why(\"x\") permit (principal, action, resource);\n\n@id(\"late\") @why(\"x\")\nforbid \
                    (principal, action, resource) when { context.hour > 23 };\n";
        let directory = folder(text);
        for (denied, expected) in [(false, ExitCode::SUCCESS), (true, ExitCode::FAILURE)] {
            let (code, out) = checked(directory.path(), denied);
            assert_eq!(code, expected, "{out}");
            assert!(out.contains("warning: a.cedar:3:1: late: can never hold"), "{out}");
            assert!(out.contains("\n1 warning\n"), "{out}");
        }
    }

    #[test]
    fn a_policy_that_no_case_makes_decide_is_a_warning() {
        let directory = folder(
            "@id(\"all\") @why(\"x\") permit (principal, action, resource);\n@id(\"night\") @why(\"x\")\
                                forbid (principal, action, resource) when { context.hour < 6 };",
        );
        fs::create_dir(directory.path().join("tests")).unwrap();
        let case = "cases:\n  - { name: a, department: gd-health, dataset: natural-person, operation: verify, expect: allow, \
                    item: 11440100MB9YYY997R3440101001000, day: 2026-11-24, fields: [name] }\n";
        fs::write(directory.path().join("tests/a.yaml"), case).unwrap();
        let (_, out) = checked(directory.path(), false);
        assert!(out.contains("night: decides no case of the tests. Add a case"), "{out}");
        assert!(!out.contains("all: decides no case"), "{out}");
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        assert!(check(Path::new("/nonexistent/policies"), None, false, &mut Vec::new()).is_err());
    }
}
