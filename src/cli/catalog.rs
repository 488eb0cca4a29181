//! `shuqiao catalog`: check a catalogue, look around in it, and change it.
//!
//! Prints every complaint, not the first only, as `file:line:column: path: message. remedy`, which editors and terminals
//! turn into links. What needs the node's ledger opens it beside the running node, which follows within a second.

mod browse;
mod differ;
mod everywhere;
mod revise;

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};

use super::home::Home;
use crate::{
    agreements,
    catalog::{self, Catalog, Complaint, SharingAttribute},
    config::Settings,
    http::open_ledger,
    ledger::Ledger,
    revisions,
};

#[derive(Debug, Args)]
pub(crate) struct CatalogArgs {
    #[command(subcommand)]
    command: CatalogCommand,
}

#[derive(Debug, Subcommand)]
enum CatalogCommand {
    /// Check that a catalogue holds together; print all complaints and exit with 1 if it does not.
    Check {
        /// Directory of the catalogue's .yaml files.
        #[arg(value_name = "DIR", default_value = "catalogs/guangdong")]
        directory: PathBuf,
        /// File of agreements to check against it.
        #[arg(long, value_name = "FILE")]
        agreements: Option<PathBuf>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the JSON Schema of catalogue files, for editors.
    Schema {
        /// The schema of a file of agreements instead.
        #[arg(long)]
        agreements: bool,
    },
    /// Say what a folder of files would change, and which agreements it would break.
    Diff(differ::DiffArgs),
    /// Propose the files of a folder as the next revision: a draft, or with --submit handed in for review.
    Apply(revise::ApplyArgs),
    /// Propose to take a dataset out of the catalogue.
    Retire(revise::RetireArgs),
    /// Propose to go back to the files of an earlier revision.
    Restore(revise::RestoreArgs),
    /// Publish the files of a folder alone, as an operator, where this program cannot read the published ones any more.
    Recover(revise::RecoverArgs),
    /// Hand one's own draft in for review.
    Submit(revise::SubmitArgs),
    /// Publish what somebody else has handed in; running nodes follow within a second.
    Approve(revise::ReviewArgs),
    /// Turn a revision down, or take one's own back.
    Reject(revise::ReviewArgs),
    /// List the revisions, the newest first.
    Revisions(revise::RevisionsArgs),
    /// Show one revision with what it changes.
    Revision(revise::RevisionArgs),
    /// List datasets.
    List(browse::ListArgs),
    /// Find datasets and items by words.
    Search(browse::SearchArgs),
    /// Show one dataset or item.
    Show(browse::ShowArgs),
    /// Print the catalogue: DCAT 3 for other programs, JSON, or the YAML files that it is made from.
    Export(browse::ExportArgs),
}

pub(super) async fn run(args: CatalogArgs, home: &Home, now: DateTime<Utc>) -> anyhow::Result<ExitCode> {
    let mut out = BufWriter::new(io::stdout().lock());
    let code = match args.command {
        CatalogCommand::Check { directory, agreements, json } => {
            check(&directory, agreements.as_deref(), json, &mut out)?
        }
        CatalogCommand::Schema { agreements } => {
            let schema = if agreements { agreements::json_schema() } else { catalog::json_schema() };
            writeln!(out, "{schema:#}")?;
            ExitCode::SUCCESS
        }
        CatalogCommand::Diff(args) => differ::run(args, home, now, &mut out).await?,
        CatalogCommand::List(args) => browse::list(&args, home, now, &mut out).await?,
        CatalogCommand::Search(args) => browse::search(&args, home, now, &mut out).await?,
        CatalogCommand::Show(args) => browse::show(&args, home, now, &mut out).await?,
        CatalogCommand::Export(args) => browse::export(&args, home, now, &mut out).await?,
        revising => revised(revising, &home.settings()?, now, &mut out).await?,
    };
    out.flush()?;
    Ok(code)
}

/// The commands on revisions.
async fn revised(
    command: CatalogCommand,
    settings: &Settings,
    now: DateTime<Utc>,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let ledger = open_ledger(settings).await?;
    let desk = revise::Desk { settings, ledger: &ledger, now };
    let done = match command {
        CatalogCommand::Apply(args) => desk.apply(args, out).await,
        CatalogCommand::Retire(args) => desk.retire(args, out).await,
        CatalogCommand::Restore(args) => desk.restore(args, out).await,
        CatalogCommand::Recover(args) => desk.recover(&args, out).await,
        CatalogCommand::Submit(args) => desk.submit(&args, out).await,
        CatalogCommand::Approve(args) => desk.approve(&args, out).await,
        CatalogCommand::Reject(args) => desk.reject(&args, out).await,
        CatalogCommand::Revisions(args) => desk.list(&args, out).await,
        CatalogCommand::Revision(args) => desk.show(&args, out).await,
        _ => Ok(ExitCode::FAILURE), // `run` sends no other command here
    };
    ledger.close().await;
    done
}

/// The catalogue of a node: the published one; where none is yet, that of its files.
pub(super) async fn of_node(settings: &Settings, ledger: &Ledger) -> anyhow::Result<Arc<Catalog>> {
    if ledger.published_revision().await?.is_none() {
        return Ok(Arc::new(catalog::load(&settings.paths.catalog)?));
    }
    Ok(revisions::current(ledger).await?.catalog)
}

/// The same for commands that need the ledger for nothing else.
pub(super) async fn published(settings: &Settings) -> anyhow::Result<Arc<Catalog>> {
    let ledger = open_ledger(settings).await?;
    let found = of_node(settings, &ledger).await;
    ledger.close().await;
    found
}

fn check(directory: &Path, agreements: Option<&Path>, json: bool, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let catalog = match catalog::load(directory) {
        Ok(catalog) => catalog,
        Err(error) if error.complaints().is_empty() => return Err(error.into()),
        Err(error) => return list(error.complaints(), json, out),
    };
    let agreements = match agreements.map(|path| agreements::load(path, &catalog)) {
        None => None,
        Some(Ok(agreements)) => Some(agreements.iter().count()),
        Some(Err(error)) if error.complaints().is_empty() => return Err(error.into()),
        Some(Err(error)) => return list(error.complaints(), json, out),
    };
    if json {
        return list(&[], json, out);
    }
    writeln!(out, "{}", counts(&catalog))?;
    if let Some(agreements) = agreements {
        writeln!(out, "{agreements} agreements")?;
    }
    Ok(ExitCode::SUCCESS)
}
/// All complaints; exit status 1 where there are any.
fn list(complaints: &[Complaint], json: bool, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let code = if complaints.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
    if json {
        let told = |one: &Complaint| {
            serde_json::json!({
                "file": one.file, "line": one.line, "column": one.column, "path": one.path, "message": one.message,
                "remedy": one.remedy,
            })
        };
        writeln!(out, "{:#}", serde_json::Value::from_iter(complaints.iter().map(told)))?;
        return Ok(code);
    }
    for complaint in complaints {
        writeln!(out, "{complaint}")?;
    }
    writeln!(out, "{} complaint{}", complaints.len(), if complaints.len() == 1 { "" } else { "s" })?;
    Ok(code)
}

fn counts(catalog: &Catalog) -> String {
    let fields: usize = catalog.datasets.values().map(|dataset| dataset.fields.len()).sum();
    let conditional =
        catalog.datasets.values().filter(|d| d.sharing.attribute == SharingAttribute::Conditional).count();
    let materials: usize = catalog.items.values().map(|item| item.materials.len()).sum();
    format!(
        "{} nodes, {} departments, {} datasets with {fields} fields ({conditional} shared under conditions), {} items with \
         {materials} materials",
        catalog.nodes.len(),
        catalog.departments.len(),
        catalog.datasets.len(),
        catalog.items.len(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(directory: &Path, agreements: Option<&Path>) -> (ExitCode, String) {
        let mut out = Vec::new();
        let code = check(directory, agreements, false, &mut out).unwrap();
        (code, String::from_utf8(out).unwrap())
    }

    #[test]
    fn a_catalogue_that_holds_together_is_counted() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogs");
        let (code, out) = checked(&root.join("guangdong"), Some(&root.join("guangdong-agreements.yaml")));
        assert_eq!(code, ExitCode::SUCCESS);
        assert!(out.contains("3 nodes") && out.contains("4 datasets") && out.contains("agreements"), "{out}");
    }

    #[test]
    fn every_complaint_is_printed_and_the_exit_status_is_one() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("bad.yaml");
        std::fs::write(&path, "nodes:\n  - { id: A, name: { zh: 甲, en: a }, division: \"440199\" }\n").unwrap();
        let (code, out) = checked(directory.path(), None);
        assert_eq!(code, ExitCode::FAILURE);
        let lines: Vec<_> = out.lines().collect();
        assert_eq!(lines.len(), 3, "{out}");
        assert!(lines[0].starts_with(&format!("{}:2:11: nodes[0].id: ", path.display())), "{out}");
        assert!(lines[1].contains("nodes[0].division: unknown division `440199`"), "{out}");
        assert_eq!(lines[2], "2 complaints");
    }

    #[test]
    fn a_directory_that_is_not_there_is_an_error() {
        assert!(check(Path::new("/nonexistent/catalogue"), None, false, &mut Vec::new()).is_err());
    }
}
