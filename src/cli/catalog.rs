//! `shuqiao catalog`: check a catalogue, print the schema that editors use.
//!
//! Prints every complaint, not the first only, as `file:line:column: path: message. remedy`, which editors and terminals
//! turn into links.

use std::{
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{Args, Subcommand};

use crate::{
    agreements,
    catalog::{self, Catalog, Complaint, SharingAttribute},
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
    },
    /// Print the JSON Schema of catalogue files, for editors.
    Schema {
        /// The schema of a file of agreements instead.
        #[arg(long)]
        agreements: bool,
    },
}

pub(crate) fn run(args: CatalogArgs) -> anyhow::Result<ExitCode> {
    let mut out = BufWriter::new(io::stdout().lock());
    let code = match args.command {
        CatalogCommand::Check { directory, agreements } => check(&directory, agreements.as_deref(), &mut out)?,
        CatalogCommand::Schema { agreements } => {
            let schema = if agreements { agreements::json_schema() } else { catalog::json_schema() };
            writeln!(out, "{schema:#}")?;
            ExitCode::SUCCESS
        }
    };
    out.flush()?;
    Ok(code)
}

fn check(directory: &Path, agreements: Option<&Path>, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let catalog = match catalog::load(directory) {
        Ok(catalog) => catalog,
        Err(error) if error.complaints().is_empty() => return Err(error.into()),
        Err(error) => return list(error.complaints(), out),
    };
    writeln!(out, "{}", counts(&catalog))?;
    let Some(path) = agreements else { return Ok(ExitCode::SUCCESS) };
    match agreements::load(path, &catalog) {
        Ok(agreements) => {
            writeln!(out, "{} agreements", agreements.iter().count())?;
            Ok(ExitCode::SUCCESS)
        }
        Err(error) if error.complaints().is_empty() => Err(error.into()),
        Err(error) => list(error.complaints(), out),
    }
}

fn list(complaints: &[Complaint], out: &mut impl Write) -> anyhow::Result<ExitCode> {
    for complaint in complaints {
        writeln!(out, "{complaint}")?;
    }
    writeln!(out, "{} complaint{}", complaints.len(), if complaints.len() == 1 { "" } else { "s" })?;
    Ok(ExitCode::FAILURE)
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
        let code = check(directory, agreements, &mut out).unwrap();
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
        assert!(check(Path::new("/nonexistent/catalogue"), None, &mut Vec::new()).is_err());
    }
}
