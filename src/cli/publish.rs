//! `shuqiao publish DATASET FILE [--changes]`.

use std::{path::PathBuf, process::ExitCode, sync::Arc};

use chrono::{DateTime, Utc};
use clap::Args;

use super::{catalog::published, home, progress_bar};
use crate::{
    catalog::Catalog,
    config::Settings,
    engine::SortPlace,
    http::tables,
    identifiers::DatasetId,
    publish::{Applied, Progress, Publication, PublishError, Published, publish, publish_changes},
    storage::{Table, upload},
};

#[derive(Debug, Args)]
pub(super) struct PublishArgs {
    /// The dataset, such as `natural-person`.
    dataset: DatasetId,
    /// A `.csv` (UTF-8, with a header) or `.parquet` file with the dataset's fields.
    file: PathBuf,
    /// The file holds changes to the newest version: one more column, `_change`, says `upsert` or `delete` of each row.
    #[arg(long)]
    changes: bool,
    /// Where bad rows are listed with line, field and reason [default: FILE.rejects.csv].
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// When the data was true (RFC 3339) [default: now].
    #[arg(long, value_name = "TIME")]
    as_of: Option<DateTime<Utc>>,
}

pub(super) async fn run(args: PublishArgs, settings: &Settings, now: DateTime<Utc>) -> anyhow::Result<ExitCode> {
    let catalog = published(settings).await?;
    let rejects = args.rejects.unwrap_or_else(|| {
        let mut name = args.file.clone().into_os_string();
        name.push(".rejects.csv");
        name.into()
    });
    let as_of = args.as_of.unwrap_or(now);
    let job = Job { dataset: &args.dataset, file: args.file, changes: args.changes, rejects, as_of, now };
    let done = job.run(&catalog, settings).await.map_err(listed)?;
    println!("published {} version {}: {} rows in {} files", args.dataset, done.version, done.rows, done.files);
    if let Some(applied) = done.applied {
        println!("{}", outcome(&applied));
    }
    Ok(ExitCode::SUCCESS)
}

/// A file whose columns are not the catalogue's: one difference a line, because they are put right one by one.
fn listed(error: anyhow::Error) -> anyhow::Error {
    let Some(PublishError::Columns { path, dataset, drift }) = error.downcast_ref() else { return error };
    let lines: String = drift.differences().iter().map(|one| format!("\n  {one}")).collect();
    anyhow::anyhow!("`{}` does not have the columns of `{dataset}`. Nothing was published{lines}", path.display())
}

fn outcome(applied: &Applied) -> String {
    let Applied { inserted, replaced, deleted, absent, files_kept, files_rewritten } = applied;
    let absent = if *absent == 0 { String::new() } else { format!(" ({absent} more were not there)") };
    format!(
        "{inserted} inserted, {replaced} replaced, {deleted} deleted{absent}; {files_kept} files kept, {files_rewritten} rewritten"
    )
}

/// One publication with its progress bar.
pub(super) struct Job<'a> {
    pub(super) dataset: &'a DatasetId,
    pub(super) file: PathBuf,
    pub(super) changes: bool,
    pub(super) rejects: PathBuf,
    pub(super) as_of: DateTime<Utc>,
    pub(super) now: DateTime<Utc>,
}

impl Job<'_> {
    pub(super) async fn run(&self, catalog: &Catalog, settings: &Settings) -> anyhow::Result<Published> {
        let Some(dataset) = catalog.datasets.get(self.dataset) else {
            let known: Vec<_> = catalog.datasets.keys().map(DatasetId::as_str).collect();
            anyhow::bail!("dataset `{}` is not in the catalogue; it has {}", self.dataset, known.join(", "));
        };
        let spill = settings.paths.data.join("spill");
        std::fs::create_dir_all(&spill)?;
        let bar = progress_bar(&format!("publishing {}", self.dataset), 1);
        let shown = bar.clone();
        let progress = move |progress| match progress {
            Progress::Read { done, total } => {
                shown.set_length(total.max(1) * 2);
                shown.set_position(done);
            }
            Progress::Written { rows } => shown.set_message(format!("writing {rows} rows")),
        };
        let publication = Publication {
            dataset,
            file: &self.file,
            table: &settings.paths.tables().join(self.dataset.as_str()),
            rejects: &self.rejects,
            sort: SortPlace { memory_bytes: settings.lookup.sql_memory_bytes, spill },
            as_of: self.as_of,
            now: self.now,
            today: home::today(self.now),
        };
        let folder = publication.table.to_owned();
        let done = match self.changes {
            false => publish(publication, Arc::new(progress)).await,
            true => publish_changes(publication, Arc::new(progress)).await,
        };
        bar.finish_and_clear();
        let mut done = done?;
        // Where nodes read from a store, the folder is where a version is made.
        if let Table::Store(table) = tables(settings)?.table(self.dataset.as_str()) {
            done.version = upload(&folder, &table, self.now).await?;
        }
        if done.rejected > 0 {
            let line = format!("{} bad rows were left out; see `{}`", done.rejected, self.rejects.display());
            tracing::warn!("{line}");
            println!("{line}");
        }
        Ok(done)
    }
}
