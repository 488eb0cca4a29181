//! `shuqiao catalog list | search | show | export`: looking around in a catalogue.

use std::{fs, io::Write, path::PathBuf, process::ExitCode, sync::Arc};

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::{
    super::{home, table::table},
    Home, everywhere, published,
};
use crate::{
    catalog::{
        self, Catalog, Dataset, DatasetFilter, SearchIndex, SharingAttribute, Sources, Target, UpdateCycle, dcat,
    },
    http::{catalog_bodies as bodies, open_ledger},
    identifiers::{DepartmentId, ItemCode, NodeId},
    revisions,
};

#[derive(Debug, Args)]
pub(super) struct From {
    /// Look in the files of this directory, not in what the node has published.
    #[arg(long, value_name = "DIR")]
    catalog: Option<PathBuf>,
}

impl From {
    async fn catalog(&self, home: &Home) -> anyhow::Result<Arc<Catalog>> {
        match &self.catalog {
            Some(directory) => Ok(Arc::new(catalog::load(directory)?)),
            None => published(&home.settings()?).await,
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Provided by this department.
    #[arg(long)]
    provider: Option<DepartmentId>,
    /// Provided on this node.
    #[arg(long)]
    node: Option<NodeId>,
    /// `unconditional`, `conditional` or `not_shared`.
    #[arg(long, value_parser = sharing)]
    sharing: Option<SharingAttribute>,
    /// The first digits of the resource code, such as 101.
    #[arg(long)]
    theme: Option<String>,
    /// Of this level, 1 to 4.
    #[arg(long)]
    sensitivity: Option<u8>,
    /// Such as `daily`.
    #[arg(long, value_parser = update_cycle)]
    update_cycle: Option<UpdateCycle>,
    /// List service items instead.
    #[arg(long)]
    items: bool,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    from: From,
}

fn sharing(word: &str) -> Result<SharingAttribute, String> {
    SharingAttribute::from_word(word).ok_or_else(|| known(SharingAttribute::ALL.iter().map(|one| one.word())))
}

fn update_cycle(word: &str) -> Result<UpdateCycle, String> {
    UpdateCycle::from_word(word).ok_or_else(|| known(UpdateCycle::ALL.iter().map(|one| one.word())))
}

fn known(words: impl Iterator<Item = &'static str>) -> String {
    format!("it is one of {}", words.collect::<Vec<_>>().join(", "))
}

#[derive(Debug, Args)]
pub(super) struct SearchArgs {
    /// Chinese or English; every word must be found.
    #[arg(required = true)]
    pub(super) words: Vec<String>,
    /// Look in the entries of the nodes below as well, as this node has heard them (datasets only).
    #[arg(long, conflicts_with = "catalog")]
    pub(super) everywhere: bool,
    /// With --everywhere: what this node publishes only.
    #[arg(long, value_name = "NODE", requires = "everywhere")]
    pub(super) origin: Option<NodeId>,
    /// Print JSON.
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    from: From,
}

#[derive(Debug, Args)]
pub(super) struct ShowArgs {
    /// A dataset's id, its resource code, or an item's code.
    name: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    from: From,
}

#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[arg(long, value_enum, default_value_t = Format::Dcat)]
    format: Format,
    /// With yaml: write the files into this directory, which must be new or empty.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// With yaml: the files of this revision, not of the published one.
    #[arg(long, value_name = "NUMBER")]
    revision: Option<i64>,
    /// With dcat: the entries of the nodes below as well, as this node has heard them.
    #[arg(long, conflicts_with = "catalog")]
    everywhere: bool,
    #[command(flatten)]
    from: From,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// DCAT 3 in JSON-LD.
    Dcat,
    /// The files that the catalogue is made from.
    Yaml,
    /// Everything, as the API shows it.
    Json,
}

pub(super) async fn list(
    args: &ListArgs,
    home: &Home,
    now: DateTime<Utc>,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let catalog = args.from.catalog(home).await?;
    if args.items {
        return list_items(&catalog, args.json, now, out);
    }
    let filter = DatasetFilter {
        provider: args.provider.clone(),
        node: args.node.clone(),
        sharing: args.sharing,
        mode: None,
        theme: args.theme.clone(),
        sensitivity: args.sensitivity,
        update_cycle: args.update_cycle,
    };
    let accepts = |one: &Dataset| filter.accepts(one, catalog.departments.get(&one.provider));
    let found = catalog.datasets.values().filter(|dataset| accepts(dataset));
    print_datasets(found.map(AsRef::as_ref), args.json, out)?;
    Ok(ExitCode::SUCCESS)
}

fn print_datasets<'c>(
    datasets: impl Iterator<Item = &'c Dataset>,
    json: bool,
    out: &mut impl Write,
) -> anyhow::Result<()> {
    let lines: Vec<_> = datasets.map(bodies::dataset_line).collect();
    if json {
        writeln!(out, "{:#}", json!(lines))?;
        return Ok(());
    }
    let rows = lines.into_iter().map(|one| {
        [
            one.id,
            one.code,
            one.name.zh,
            one.provider,
            one.sharing.to_owned(),
            one.update_cycle.to_owned(),
            one.sensitivity.to_string(),
        ]
    });
    let heading = ["dataset", "code", "name", "provider", "sharing", "update cycle", "level"];
    write!(out, "{}", table(heading, rows))?;
    Ok(())
}

fn list_items(catalog: &Catalog, json: bool, now: DateTime<Utc>, out: &mut impl Write) -> anyhow::Result<ExitCode> {
    let today = home::today(now);
    let items = catalog.items.keys().filter_map(|code| catalog.item_on(code, today));
    let lines: Vec<_> = items.map(|item| bodies::item_line(item, today)).collect();
    if json {
        writeln!(out, "{:#}", json!(lines))?;
        return Ok(ExitCode::SUCCESS);
    }
    let rows = lines.into_iter().map(|one| {
        let state = if one.in_force { "in force" } else { "not in force" };
        [one.code, one.version.to_string(), one.name.zh, one.department, state.to_owned()]
    });
    write!(out, "{}", table(["item", "version", "name", "department", "today"], rows))?;
    Ok(ExitCode::SUCCESS)
}

/// Exit with 1 where nothing was found.
pub(super) async fn search(
    args: &SearchArgs,
    home: &Home,
    now: DateTime<Utc>,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    if args.everywhere {
        return everywhere::search(args, &home.settings()?, now, out).await;
    }
    let catalog = args.from.catalog(home).await?;
    let hits = SearchIndex::new(&catalog).search(&args.words.join(" "));
    let rows: Vec<[String; 4]> = hits.iter().filter_map(|hit| row(&catalog, &hit.target, hit.score)).collect();
    if args.json {
        let one =
            |[kind, id, name, score]: &[String; 4]| json!({ "kind": kind, "id": id, "name": name, "score": score });
        writeln!(out, "{:#}", rows.iter().map(one).collect::<Value>())?;
    } else if rows.is_empty() {
        writeln!(out, "nothing was found")?;
    } else {
        write!(out, "{}", table(["kind", "id", "name", "score"], rows.clone()))?;
    }
    Ok(if rows.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn row(catalog: &Catalog, target: &Target, score: u32) -> Option<[String; 4]> {
    let (kind, id, name) = match target {
        Target::Dataset(id) => ("dataset", id.to_string(), &catalog.datasets.get(id)?.name),
        Target::Item(code) => ("item", code.to_string(), &catalog.items.get(code)?.name),
    };
    Some([kind.to_owned(), id, name.zh.clone(), score.to_string()])
}

pub(super) async fn show(
    args: &ShowArgs,
    home: &Home,
    now: DateTime<Utc>,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    let catalog = args.from.catalog(home).await?;
    let by_code = || args.name.parse().ok().and_then(|code| catalog.by_resource_code(&code));
    if let Some(dataset) = catalog.datasets.get(args.name.as_str()).or_else(by_code) {
        let body = bodies::dataset(&catalog, dataset).context("its provider is not in the catalogue")?;
        if args.json {
            writeln!(out, "{:#}", json!(body))?;
        } else {
            print_dataset(dataset, out)?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let item: Option<ItemCode> = args.name.parse().ok().filter(|code| catalog.items.contains_key(code));
    let Some(code) = item else {
        bail!("the catalogue has no dataset and no item `{}`. `shuqiao catalog search` finds them by words", args.name);
    };
    // An item is a tree of materials; its JSON reads better than a table of it would.
    writeln!(out, "{:#}", json!(bodies::item(&catalog, &code, home::today(now))))?;
    Ok(ExitCode::SUCCESS)
}

fn print_dataset(dataset: &Dataset, out: &mut impl Write) -> anyhow::Result<()> {
    let listing = &dataset.listing;
    let modes = listing.modes.iter().map(|mode| mode.word()).collect::<Vec<_>>().join(", ");
    let related = listing.related.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let theme = dataset.code.theme_names().map_or("", |(zh, _)| zh);
    let lines = [
        ("dataset", dataset.id.to_string()),
        ("name", format!("{} / {}", dataset.name.zh, dataset.name.en)),
        (
            "code",
            format!(
                "{} ({}{}{theme})",
                dataset.code,
                dataset.code.class().names().0,
                if theme.is_empty() { "" } else { " · " }
            ),
        ),
        ("summary", dataset.summary.zh.clone()),
        ("provider", dataset.provider.to_string()),
        ("sharing", format!("{} ({modes})", dataset.sharing.attribute.word())),
        ("ground", dataset.sharing.ground.clone().unwrap_or_default()),
        ("opening", listing.opening.attribute.word().to_owned()),
        ("conditions", listing.opening.conditions.clone().unwrap_or_default()),
        ("format", listing.format.word().to_owned()),
        ("update cycle", dataset.update_cycle.word().to_owned()),
        ("level", dataset.sensitivity.level().to_string()),
        ("published", format!("{}, updated {}", listing.published_on, listing.updated_on)),
        ("related", related),
        ("key", dataset.key.to_string()),
    ];
    for (name, value) in lines.iter().filter(|(_, value)| !value.is_empty()) {
        writeln!(out, "{name:<13} {value}")?;
    }
    writeln!(out)?;
    let rows = dataset.fields.iter().map(bodies::field).map(|one| {
        let required = if one.required { "yes" } else { "no" };
        [
            one.name,
            one.title.zh,
            one.element,
            one.kind.to_owned(),
            one.sensitivity.to_string(),
            one.disclosure.to_owned(),
            one.comparator.to_owned(),
            required.to_owned(),
        ]
    });
    let heading = ["field", "title", "element", "kind", "level", "disclosure", "comparator", "required"];
    write!(out, "{}", table(heading, rows))?;
    Ok(())
}

pub(super) async fn export(
    args: &ExportArgs,
    home: &Home,
    now: DateTime<Utc>,
    out: &mut impl Write,
) -> anyhow::Result<ExitCode> {
    if args.format != Format::Yaml && (args.out.is_some() || args.revision.is_some()) {
        bail!("--out and --revision go with --format yaml");
    }
    if args.format != Format::Dcat && args.everywhere {
        bail!("--everywhere goes with --format dcat");
    }
    match args.format {
        Format::Yaml => yaml(args, home, out).await?,
        Format::Dcat if args.everywhere => everywhere::export(&home.settings()?, out).await?,
        Format::Dcat => {
            let catalog = args.from.catalog(home).await?;
            // Files without a node have no address of their own.
            let url = match &args.from.catalog {
                Some(_) => "urn:shuqiao".to_owned(),
                None => home.settings()?.node.url.as_str().to_owned(),
            };
            writeln!(out, "{:#}", dcat::export(&catalog, &[], &url))?;
        }
        Format::Json => {
            let (catalog, today) = (args.from.catalog(home).await?, home::today(now));
            let datasets: Vec<_> = catalog.datasets.values().filter_map(|one| bodies::dataset(&catalog, one)).collect();
            let items: Vec<_> = catalog.items.keys().map(|code| bodies::item(&catalog, code, today)).collect();
            let departments: Vec<_> = catalog.departments.values().map(bodies::department).collect();
            writeln!(out, "{:#}", json!({ "departments": departments, "datasets": datasets, "items": items }))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn yaml(args: &ExportArgs, home: &Home, out: &mut impl Write) -> anyhow::Result<()> {
    let sources = match &args.from.catalog {
        Some(directory) => Sources::read(directory)?,
        None => {
            let ledger = open_ledger(&home.settings()?).await?;
            let sources = match args.revision {
                Some(number) => revisions::sources(&ledger, number).await,
                None => match revisions::current(&ledger).await {
                    Ok(current) => revisions::sources(&ledger, current.revision.number).await,
                    Err(problem) => Err(problem),
                },
            };
            ledger.close().await;
            sources?
        }
    };
    let Some(folder) = &args.out else {
        for (name, text) in sources.files() {
            writeln!(out, "# ==> {name}\n{text}")?;
        }
        return Ok(());
    };
    if fs::read_dir(folder).is_ok_and(|mut inside| inside.next().is_some()) {
        bail!("`{}` is not empty. Name a new directory", folder.display());
    }
    for (name, text) in sources.files() {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(&path, text).with_context(|| format!("`{}`", path.display()))?;
    }
    writeln!(out, "{} files in `{}`", sources.files().count(), folder.display())?;
    Ok(())
}
