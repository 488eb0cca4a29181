//! `shuqiao policy`: do the policies hold together, and what do they say?
//!
//! Prints every complaint, not the first only, as `file:line:column: policy: message. remedy`.

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};

use crate::policy::PolicySet;

#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    /// Validate every policy strictly against the schema and list them; print all complaints and exit with 1 if they do
    /// not hold together.
    Check {
        /// Directory of the schema and the policies.
        #[arg(value_name = "DIR", default_value = "policies")]
        directory: PathBuf,
    },
}

pub(crate) fn run(args: PolicyArgs) -> anyhow::Result<ExitCode> {
    let PolicyCommand::Check { directory } = args.command;
    let mut out = BufWriter::new(io::stdout().lock());
    let code = check(&directory, &mut out)?;
    out.flush()?;
    Ok(code)
}

fn check(directory: &Path, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let set = match PolicySet::load(directory) {
        Ok(set) => set,
        Err(error) if error.complaints().is_empty() => return Err(error.into()),
        Err(error) => {
            for complaint in error.complaints() {
                writeln!(out, "{complaint}")?;
            }
            let count = error.complaints().len();
            writeln!(out, "{count} complaint{}", if count == 1 { "" } else { "s" })?;
            return Ok(ExitCode::FAILURE);
        }
    };
    for (id, rule) in set.rules() {
        writeln!(out, "{} {id}: {}", if rule.permits { "permit" } else { "forbid" }, rule.why)?;
    }
    writeln!(out, "policy set {}", set.hash())?;
    Ok(ExitCode::SUCCESS)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn checked(directory: &Path) -> (ExitCode, String) {
        let mut out = Vec::new();
        let code = check(directory, &mut out).unwrap();
        (code, String::from_utf8(out).unwrap())
    }

    fn policies() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("policies")
    }

    #[test]
    fn every_policy_is_listed_with_its_effect_and_reason_and_then_the_set() {
        let (code, out) = checked(&policies());
        assert_eq!(code, ExitCode::SUCCESS, "{out}");
        assert!(out.contains("forbid agreement-required: no agreement covers this department"), "{out}");
        assert!(out.contains("permit verify-under-agreement: "), "{out}");
        let set = PolicySet::load(&policies()).unwrap();
        assert_eq!(out.lines().last().unwrap(), format!("policy set {}", set.hash()));
        assert_eq!(out.lines().count(), set.ids().count() + 1);
    }

    #[test]
    fn every_complaint_is_printed_and_the_exit_status_is_one() {
        let directory = tempfile::tempdir().unwrap();
        fs::copy(policies().join("shuqiao.cedarschema"), directory.path().join("shuqiao.cedarschema")).unwrap();
        fs::write(directory.path().join("a.cedar"), "permit (principal, action, resource);\n\nforbid").unwrap();
        fs::write(directory.path().join("b.cedar"), "permit (principal, action, resource);").unwrap();
        let (code, out) = checked(directory.path());
        assert_eq!(code, ExitCode::FAILURE);
        assert!(out.contains("a.cedar:3:") && out.contains("b.cedar:1:1: the policy has no id. Add"), "{out}");
        assert!(out.ends_with("2 complaints\n"), "{out}");
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        assert!(check(Path::new("/nonexistent/policies"), &mut Vec::new()).is_err());
    }
}
