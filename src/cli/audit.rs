//! `shuqiao audit verify`: read the whole audit log again and say whether it holds.
//!
//! Exit status 0: it holds; 1: it does not, with file and offset; 2: it could not be read.

use std::{fmt::Write as _, path::PathBuf, process::ExitCode};

use anyhow::Context;
use chrono::SecondsFormat;
use clap::{Args, Subcommand};

use super::home::Home;
use crate::{
    audit::{AuditError, Digest, LogReport, verify_log},
    keys::{KeyRing, PublicKeys},
};

#[derive(Debug, Args)]
pub(super) struct AuditArgs {
    #[command(subcommand)]
    command: AuditCommand,
}

#[derive(Debug, Subcommand)]
enum AuditCommand {
    /// Check every record, the tree over them and every signed checkpoint. The node may be running.
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
struct VerifyArgs {
    /// The folder of the log, such as a copy of it; else that of the node in --dir.
    #[arg(value_name = "LOGDIR")]
    log: Option<PathBuf>,
    /// Public keys for the checkpoints' signatures; else those of the node in --dir, where no LOGDIR is given.
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
}

pub(super) fn run(args: AuditArgs, home: &Home) -> anyhow::Result<ExitCode> {
    let AuditCommand::Verify(args) = args.command;
    let named = args.jwks.as_deref().map(key_set).transpose()?;
    let (dir, keys) = match args.log {
        Some(dir) => (dir, named),
        None => {
            let paths = home.settings()?.paths;
            let of_node = || node_keys(paths.receipt_key());
            (paths.audit(), named.map_or_else(of_node, |keys| Ok(Some(keys)))?)
        }
    };
    anyhow::ensure!(dir.is_dir(), "there is no folder `{}`", dir.display());
    match verify_log(&dir, keys.as_ref()) {
        Ok(report) => {
            print!("{}", said(&report, keys.is_some()));
            Ok(ExitCode::SUCCESS)
        }
        Err(error @ AuditError::LogDamaged { .. }) => {
            println!("damaged: {error}");
            Ok(ExitCode::FAILURE)
        }
        Err(error) => Err(error.into()),
    }
}

fn key_set(file: &std::path::Path) -> anyhow::Result<PublicKeys> {
    let name = || format!("`{}`", file.display());
    let text = std::fs::read_to_string(file).with_context(name)?;
    PublicKeys::from_json(&text).with_context(name)
}

/// The key with which the node signs its checkpoints, if it has one yet.
fn node_keys(file: PathBuf) -> anyhow::Result<Option<PublicKeys>> {
    if !file.exists() {
        return Ok(None);
    }
    Ok(Some(KeyRing::open(&file)?.public()))
}

fn said(report: &LogReport, signatures: bool) -> String {
    let mut lines = vec![
        ("log", report.log.map_or_else(|| "none yet".to_owned(), |id| id.to_string())),
        ("records", format!("{} in {} segments", report.head.size, report.segments)),
        ("root", Digest(report.head.root).to_string()),
        ("checkpoints", report.checkpoints.to_string()),
    ];
    if let Some(last) = &report.last_checkpoint {
        let time = last.time.to_rfc3339_opts(SecondsFormat::Millis, true);
        let by = last.kid.as_ref().map_or_else(String::new, |kid| format!(", signed by {kid}"));
        lines.push(("last", format!("{} records at {time}{by}", last.head.size)));
    }
    if let Some(torn) = &report.torn {
        let (bytes, path, offset) = (torn.bytes, torn.path.display(), torn.offset);
        let what = "an unfinished write that nobody was told of";
        lines.push(("torn tail", format!("{bytes} bytes in `{path}` from byte {offset}: {what}")));
    }
    if !signatures && report.checkpoints > 0 {
        lines.push(("signatures", "not checked; give the keys by --jwks".to_owned()));
    }
    let text = lines.into_iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name:12} {value}");
        text
    });
    format!("{text}intact\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{LastCheckpoint, TornTail, TreeHead};

    #[test]
    fn a_report_says_what_was_checked_and_what_was_not() {
        let head = TreeHead { size: 3, root: [7; 32] };
        let time = "2026-11-24T06:30:00Z".parse().unwrap();
        let report = LogReport {
            log: Some("0193a5b2-7c00-4000-8000-000000000002".parse().unwrap()),
            head,
            segments: 1,
            torn: Some(TornTail { path: "segment-0.log".into(), offset: 4321, bytes: 17 }),
            checkpoints: 2,
            last_checkpoint: Some(LastCheckpoint { head, time, kid: None }),
        };
        insta::assert_snapshot!(said(&report, false), @r"
        log          0193a5b2-7c00-4000-8000-000000000002
        records      3 in 1 segments
        root         0707070707070707070707070707070707070707070707070707070707070707
        checkpoints  2
        last         3 records at 2026-11-24T06:30:00.000Z
        torn tail    17 bytes in `segment-0.log` from byte 4321: an unfinished write that nobody was told of
        signatures   not checked; give the keys by --jwks
        intact
        ");
    }
}
