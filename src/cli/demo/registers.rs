//! The demo's registers: made and published once, found again at the next start.

use std::path::Path;

use anyhow::Context;
use chrono::{DateTime, NaiveDate, Utc};

use crate::{
    catalog::Catalog,
    cli::{progress_bar, publish::Job},
    config::Settings,
    identifiers::DatasetId,
    publish::Published,
    sample::{Register, SampleRequest, write},
    storage::{delta, write_whole},
};

/// The same registers at every start, on every machine.
pub(super) const SEED: u64 = 1;

/// Publish each register that this folder does not have in the size asked.
pub(super) async fn publish_all(
    dir: &Path,
    persons: u64,
    catalog: &Catalog,
    settings: &Settings,
) -> anyhow::Result<()> {
    for register in Register::ALL {
        let rows = rows_of(*register, persons);
        let file = dir.join("samples").join(format!("{}.parquet", register.dataset()));
        let made = async |file: &Path| make(*register, rows, persons, file);
        if let Some(done) = publish(*register, rows, &file, made, (catalog, settings)).await? {
            println!("  {}: {} rows published as version {}", register.dataset(), done.rows, done.version);
        }
    }
    Ok(())
}

/// Make and publish a register, unless this node has it in that size.
pub(super) async fn publish(
    register: Register,
    rows: u64,
    file: &Path,
    make: impl AsyncFnOnce(&Path) -> anyhow::Result<()>,
    (catalog, settings): (&Catalog, &Settings),
) -> anyhow::Result<Option<Published>> {
    let dataset: DatasetId = register.dataset().parse()?;
    let mark = settings.paths.data.join("samples").join(format!("{dataset}.rows"));
    let published = delta::newest(&settings.paths.tables().join(dataset.as_str())).await?.is_some();
    if published && std::fs::read_to_string(&mark).is_ok_and(|text| text == rows.to_string()) {
        return Ok(None);
    }
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    make(file).await?;
    let rejects = file.with_extension("rejects.csv");
    let now = Utc::now();
    let job = Job { dataset: &dataset, file: file.to_owned(), changes: false, rejects, as_of: now, now };
    let done = job.run(catalog, settings).await?;
    write_whole(&mark, rows.to_string().as_bytes())?;
    std::fs::remove_file(file).with_context(|| format!("`{}`", file.display()))?;
    Ok(Some(done))
}

/// Fewer firms than persons, and a licence for every second one, as in life.
fn rows_of(register: Register, persons: u64) -> u64 {
    match register {
        Register::NaturalPerson => persons,
        Register::LegalEntity | Register::SocialCredit => (persons / 10).max(1),
        Register::ELicence => (persons / 2).max(1),
    }
}

fn make(register: Register, rows: u64, persons: u64, file: &Path) -> anyhow::Result<()> {
    let bar = progress_bar(&format!("making {}", register.dataset()), rows);
    let request = SampleRequest { register, rows, seed: SEED, as_of: as_of(Utc::now()), persons };
    let report = write(&request, file, &|done| bar.set_position(done));
    bar.finish_and_clear();
    report?;
    Ok(())
}

fn as_of(now: DateTime<Utc>) -> NaiveDate {
    now.date_naive()
}
