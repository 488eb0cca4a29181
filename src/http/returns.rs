//! Registers that another node fills: asked for, checked, and published here as they are returned.
//!
//! One pull is one road, whoever begins it: the running node, again and again, or an operator at the command line. What was
//! fetched lies in a file that the next pull begins anew; how far the node has come is part of the very commit of the version
//! (`publish::publish_returned`). So a pull that is stopped at any moment has either happened or not.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, Utc};
use metrics::counter;
use reqwest::Response;
use serde_json::Value;
use tokio::io::AsyncWriteExt;

use super::{Node, tables};
use crate::{
    catalog::{Catalog, Dataset},
    config::Settings,
    engine::SortPlace,
    exchange::day_in_china,
    federation::{Membership, Peers, paths},
    identifiers::{DatasetId, NodeId},
    ledger::Target,
    problem::{Code, Problem},
    publish::{Publication, PublishError, Published, publish_returned},
    returns::{self, Cursor, Expected, MANIFEST_HEADER, Manifest},
    storage::{StorageError, Table, delta, upload},
};

/// How long the other node may take to cut a slice and to begin to send it.
const CUT_MAX: Duration = Duration::from_secs(600);
/// How long may pass without a byte.
const SILENCE_MAX: Duration = Duration::from_secs(30);
/// Longest refusal that is read.
const PROBLEM_BYTES_MAX: usize = 64 * 1024;
/// Of the memory that SQL and sorting may take, the part of a publication within the serving node; and the least of it.
const MEMORY_SHARE: usize = 4;
const MEMORY_BYTES_MIN: usize = 64 << 20;

/// What a pull needs of the node that it is made for.
#[derive(Clone, Copy)]
pub struct Puller<'a> {
    pub settings: &'a Settings,
    pub catalog: &'a Catalog,
    pub peers: &'a Peers,
    pub membership: &'a Membership,
    pub now: DateTime<Utc>,
}

/// What a pull came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pulled {
    /// The newest version is here.
    Unchanged {
        cursor: Option<Cursor>,
    },
    Published {
        cursor: Cursor,
        published: Published,
    },
}

impl Puller<'_> {
    /// Ask the node that fills the dataset for a version after the one that is here, and publish it.
    ///
    /// `anew` takes whatever it has, even where that is older: for a source whose versions have begun again.
    ///
    /// Whatever is refused or fails leaves the version that is here in force.
    pub async fn pull(&self, dataset: &Arc<Dataset>, anew: bool) -> Result<Pulled, Problem> {
        let own = &self.settings.node.id;
        let Some(from) = dataset.returns.source(own) else {
            return Err(Problem::new(Code::NotReturned, format!("`{}` is not filled by another node", dataset.id))
                .remedy("Name the node that fills it in `returned_from` of the catalogue."));
        };
        let (_lock, place) = self.place(&dataset.id)?;
        let table = self.settings.paths.tables().join(dataset.id.as_str());
        let here = delta::returned(&table).await.map_err(|error| failed(&error))?;
        let after = here.as_deref().and_then(|text| text.parse::<Cursor>().ok()).filter(|_| !anew);
        let Some((mut response, manifest)) = self.ask(from, dataset, after).await? else {
            self.send_up(&dataset.id, &table).await?;
            return Ok(Pulled::Unchanged { cursor: after });
        };
        receive(&mut response, &place.file, manifest.bytes).await?;
        let (file, expected) = (place.file.clone(), manifest.clone());
        let checked = tokio::task::spawn_blocking(move || returns::check(&file, &expected)).await;
        let checked = checked.map_err(|error| Problem::new(Code::Internal, error.to_string()))?;
        checked.map_err(|error| Problem::new(error.code(), error.to_string()))?;
        let published = self.publish(dataset, (&place, &table), &manifest, here.as_deref()).await?;
        self.send_up(&dataset.id, &table).await?;
        Ok(Pulled::Published { cursor: manifest.cursor, published })
    }

    /// What the node that fills registers here would hand out of each.
    pub async fn offers(&self, from: &NodeId) -> Result<Vec<Value>, Problem> {
        let response = self.request(from, paths::RETURNS, None).await?;
        let said: Value = serde_json::from_slice(&body(response).await?).unwrap_or_default();
        Ok(said["returns"].as_array().cloned().unwrap_or_default())
    }

    /// Where what comes is kept; nobody else pulls the dataset meanwhile. The lock goes with the process, however it ends.
    fn place(&self, dataset: &DatasetId) -> Result<(File, Place), Problem> {
        let folder = self.settings.paths.returns();
        let file = |action| move |error| failed(&StorageError::file(&self.settings.paths.returns(), action)(error));
        fs::create_dir_all(&folder).map_err(file("made"))?;
        let lock = File::create(folder.join(format!("{dataset}.lock"))).map_err(file("written to"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Problem::new(Code::Conflict, format!("`{dataset}` is being pulled already"))
                    .remedy("Wait for that to end."));
            }
            Err(TryLockError::Error(error)) => return Err(file("locked")(error)),
        }
        Ok((lock, Place { file: folder.join(format!("{dataset}.parquet")) }))
    }

    /// The beginning of the answer, with its manifest, which holds; nothing, where there is no newer version.
    async fn ask(
        &self,
        from: &NodeId,
        dataset: &Dataset,
        after: Option<Cursor>,
    ) -> Result<Option<(Response, Manifest)>, Problem> {
        let response = self.request(from, &format!("{}/{}", paths::RETURNS, dataset.id), after).await?;
        match response.status().as_u16() {
            304 if after.is_some() => return Ok(None),
            200 => {}
            _ => return Err(refusal(from, &body(response).await?)),
        }
        let own = &self.settings.node.id;
        let unknown = |node: &NodeId| Problem::new(Code::PeerUnknown, format!("`{node}` is not known here"));
        let card = self.membership.card(from, self.now).ok_or_else(|| unknown(from))?;
        let area = &self.catalog.nodes.get(own).ok_or_else(|| unknown(own))?.division;
        let expected = Expected { from, to: own, area, dataset: &dataset.id, after };
        let text = response.headers().get(MANIFEST_HEADER).and_then(|text| text.to_str().ok()).unwrap_or_default();
        match Manifest::verify(text, &card.keys.0, expected) {
            Ok(manifest) => Ok(Some((response, manifest))),
            Err(error) => Err(Problem::new(error.code(), error.to_string()).remedy(format!(
                "The version before stays. The operators of both nodes have to look at this; `{from}` has signed it."
            ))),
        }
    }

    async fn request(&self, from: &NodeId, path: &str, after: Option<Cursor>) -> Result<Response, Problem> {
        let away = || {
            Problem::new(Code::PeerUnreachable, format!("`{from}` could not be asked"))
                .remedy("The version before stays; it is asked again.")
        };
        let card = self.membership.card(from, self.now).ok_or_else(|| {
            Problem::new(Code::PeerUnknown, format!("`{from}` is not in the directory of nodes"))
                .remedy("`shuqiao node status` shows the directory.")
        })?;
        let mut url = card.endpoint.join(path).map_err(|_| away())?;
        if let Some(after) = after {
            url.query_pairs_mut().append_pair("after", &after.to_string());
        }
        let client = self.peers.client(from).map_err(|error| Problem::new(error.code(), error.to_string()))?;
        let sending = tokio::time::timeout(CUT_MAX, client.get(url).send()).await;
        sending.map_err(|_| away())?.map_err(|_| away())
    }

    /// The next version of the dataset: all of what came, checked against the catalogue as any publication is.
    async fn publish(
        &self,
        dataset: &Arc<Dataset>,
        (place, table): (&Place, &Path),
        manifest: &Manifest,
        here: Option<&str>,
    ) -> Result<Published, Problem> {
        let paths = &self.settings.paths;
        let rejects = paths.returns().join(format!("{}.rejects.csv", dataset.id));
        let memory_bytes = (self.settings.lookup.sql_memory_bytes / MEMORY_SHARE).max(MEMORY_BYTES_MIN);
        let publication = Publication {
            dataset,
            file: &place.file,
            table,
            rejects: &rejects,
            sort: SortPlace { memory_bytes, spill: paths.data.join("spill") },
            as_of: manifest.as_of,
            now: self.now,
            today: day_in_china(self.now),
        };
        let cursor = manifest.cursor.to_string();
        let published = Box::pin(publish_returned(publication, &cursor, here, Arc::new(|_| {}))).await;
        let published = published.map_err(|error| unpublished(&error))?;
        if published.rejected > 0 {
            let (dataset, rejected) = (&dataset.id, published.rejected);
            tracing::warn!(%dataset, rejected, rejects = %rejects.display(), "rows of a return were left out");
        }
        Ok(published)
    }

    /// Where nodes read from a store, the folder is where a version is made. One that was not sent because the process
    /// ended is sent by the next pull.
    async fn send_up(&self, dataset: &DatasetId, folder: &Path) -> Result<(), Problem> {
        let storage = |error: StorageError| failed(&error);
        let table = tables(self.settings).map_err(storage)?.table(dataset.as_str());
        let Table::Store(store) = &table else { return Ok(()) };
        let names = |version: delta::TableVersion| {
            let mut names: Vec<_> =
                version.files.iter().filter_map(|file| Some(file.path.file_name()?.to_owned())).collect();
            names.sort();
            names
        };
        let here = delta::read(folder).await.map_err(storage)?.map(names);
        let there = table.newer(None).await.map_err(storage)?.map(names);
        if here.is_some() && here != there {
            upload(folder, store, self.now).await.map_err(storage)?;
        }
        Ok(())
    }
}

/// The file of a slice on this side; removed again whatever became of it. One that a killed process has left is overwritten.
struct Place {
    file: PathBuf,
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.file); // What cannot be removed now is overwritten by the next pull.
    }
}

/// Bring the bytes to the disk, and no more of them than were stated.
async fn receive(response: &mut Response, file: &Path, bytes: u64) -> Result<(), Problem> {
    let on_disk = |error| failed(&StorageError::file(file, "written")(error));
    let mut written = 0;
    let mut to = tokio::fs::File::create(file).await.map_err(on_disk)?;
    loop {
        let broken = || {
            Problem::new(Code::PeerUnreachable, "the connection broke off before the slice was here")
                .remedy("The version before stays; it is asked again.")
        };
        let chunk = tokio::time::timeout(SILENCE_MAX, response.chunk()).await.map_err(|_| broken())?;
        let Some(chunk) = chunk.map_err(|_| broken())? else { break };
        written += chunk.len() as u64;
        if written > bytes {
            return Err(Problem::new(Code::ReturnInvalid, "more came than the manifest says"));
        }
        to.write_all(&chunk).await.map_err(on_disk)?;
    }
    to.flush().await.map_err(on_disk)
}

async fn body(mut response: Response) -> Result<Vec<u8>, Problem> {
    let broken = || Problem::new(Code::PeerUnreachable, "the connection broke off");
    let mut bytes = Vec::new();
    while let Some(chunk) =
        tokio::time::timeout(SILENCE_MAX, response.chunk()).await.map_err(|_| broken())?.map_err(|_| broken())?
    {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > PROBLEM_BYTES_MAX {
            return Err(broken());
        }
    }
    Ok(bytes)
}

/// What the other node said instead of a slice, in its words.
fn refusal(from: &NodeId, body: &[u8]) -> Problem {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let word = said["code"].as_str().unwrap_or_default();
    let Some(code) = Code::ALL.iter().copied().find(|code| code.as_str() == word) else {
        return Problem::new(Code::PeerUnreachable, format!("`{from}` has said nothing that is understood here"));
    };
    let named = said["policies"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let detail = said["detail"].as_str().unwrap_or_default();
    let problem = Problem::new(code, format!("`{from}` says: {detail}")).policies(named.map(str::to_owned).collect());
    match said["remedy"].as_str() {
        Some(remedy) => problem.remedy(remedy),
        None => problem,
    }
}

fn unpublished(error: &PublishError) -> Problem {
    if error.code() != Code::PublicationRefused {
        tracing::error!(error = error as &dyn std::error::Error, "a return could not be published");
    }
    Problem::new(error.code(), error.to_string()).remedy("The version before stays.")
}

fn failed(error: &StorageError) -> Problem {
    tracing::error!(error = error as &dyn std::error::Error, "a return could not be kept");
    Problem::new(error.code(), error.to_string()).remedy("The node's operator has to look at the disk.")
}

impl Node {
    /// Ask for a newer version of each dataset that another node fills. What does not work now is tried again.
    pub(super) async fn pull_returns(&self) {
        let Some(federation) = self.federation.clone() else { return };
        let (rights, own) = (self.exchange.rights(), &self.settings.node.id);
        for dataset in rights.catalog.datasets.values() {
            let Some(from) = dataset.returns.source(own) else { continue };
            if rights.suspensions.get(&Target::Peer(from.clone())).is_some() {
                continue;
            }
            let puller = Puller {
                settings: &self.settings,
                catalog: &rights.catalog,
                peers: federation.peers(),
                membership: federation.membership(),
                now: self.now(),
            };
            let pulled = Box::pin(puller.pull(dataset, false)).await;
            note(&dataset.id, from, &pulled);
        }
    }
}

fn note(dataset: &DatasetId, from: &NodeId, pulled: &Result<Pulled, Problem>) {
    let (result, code) = match pulled {
        Ok(Pulled::Unchanged { .. }) => ("unchanged", "none"),
        Ok(Pulled::Published { .. }) => ("published", "none"),
        Err(problem) => ("refused", problem.code.as_str()),
    };
    let labels = [("dataset", dataset.as_str().to_owned()), ("result", result.to_owned()), ("code", code.to_owned())];
    counter!("shuqiao_return_pulls_total", &labels).increment(1);
    match pulled {
        Ok(Pulled::Unchanged { .. }) => {}
        Ok(Pulled::Published { cursor, published }) => {
            tracing::info!(%dataset, %from, %cursor, version = published.version.0, rows = published.rows, "a return is here");
        }
        Err(problem) => {
            tracing::warn!(%dataset, %from, %problem, "nothing was returned; the version before stays");
        }
    }
}
