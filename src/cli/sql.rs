//! `shuqiao sql`: ordinary SQL over the published registers, for the steward at the node itself.

use std::process::ExitCode;

use arrow::util::pretty::pretty_format_batches;
use clap::Args;

use super::catalog::published;
use crate::{config::Settings, engine::Engine, http::tables};

#[derive(Debug, Args)]
pub(super) struct SqlArgs {
    /// One read-only statement; a register is named by its dataset id, quoted: `select count(*) from "natural-person"`.
    statement: String,
}

pub(super) async fn run(args: SqlArgs, settings: &Settings) -> anyhow::Result<ExitCode> {
    let catalog = published(settings).await?;
    let engine = Engine::new(&catalog, tables(settings)?, settings.lookup.sql_memory_bytes, settings.lookup.rows_max)?;
    let (_, errors) = engine.refresh().await;
    if let Some(error) = errors.into_iter().next() {
        return Err(error.into());
    }
    let batches = engine.sql(&args.statement).await?;
    println!("{}", pretty_format_batches(&batches)?);
    Ok(ExitCode::SUCCESS)
}
