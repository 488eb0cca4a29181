//! A register at an S3 server, and engines of this machine that read it.

use std::{fs, path::PathBuf, sync::Arc};

use shuqiao::{
    catalog::{Catalog, Value},
    engine::{Engine, LookupError},
    identifiers::VersionNo,
    storage::{RemoteTable, StorageError, Store, StoreOptions, Table, Tables, upload},
};
use tempfile::TempDir;

use crate::support::{
    guangdong, now,
    registers::{Person, csv, person, publish_persons},
    s3::S3,
};

pub(super) struct Scene {
    pub(super) dir: TempDir,
    pub(super) s3: S3,
    pub(super) catalog: Catalog,
}

/// Person `n` under a name by which a version is known.
pub(super) fn renamed(n: u64, generation: &str) -> Person {
    Person { name: format!("{generation}{n}"), ..person(n) }
}

impl Scene {
    /// A server without a register.
    pub(super) async fn empty() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("tables/spill")).unwrap();
        Self { dir, s3: S3::start().await, catalog: guangdong() }
    }

    /// Persons 0 to `persons` at the store; nothing is here.
    pub(super) async fn with_persons(persons: u64) -> Self {
        let scene = Self::empty().await;
        scene.publish((0..persons).map(person)).await.unwrap();
        scene.s3.take_asked();
        scene
    }

    pub(super) fn cache(&self) -> PathBuf {
        self.dir.path().join("cache")
    }

    /// Make the next version in the folder and bring it to the store.
    pub(super) async fn publish(&self, people: impl IntoIterator<Item = Person>) -> Result<VersionNo, StorageError> {
        let (file, tables) = (self.dir.path().join("persons.csv"), self.dir.path().join("tables"));
        fs::write(&file, csv(people)).unwrap();
        publish_persons(&self.catalog, &tables, &file).await.unwrap();
        upload(&tables.join("natural-person"), &self.table(), now()).await
    }

    pub(super) fn table(&self) -> RemoteTable {
        match Tables::Store(self.s3.store(&self.cache())).table("natural-person") {
            Table::Store(table) => table,
            Table::Folder(folder) => panic!("{folder:?}"),
        }
    }

    /// A node's engine after its start.
    pub(super) async fn engine(&self) -> Engine {
        let (engine, errors) = self.engine_with(self.s3.options(&self.cache())).await;
        assert!(errors.is_empty(), "{errors:?}");
        engine
    }

    pub(super) async fn engine_with(&self, options: StoreOptions) -> (Engine, Vec<String>) {
        let store = Arc::new(Store::open(options).unwrap());
        let engine = Engine::new(&self.catalog, Tables::Store(store), 64 << 20, 100).unwrap();
        let (_, errors) = engine.refresh().await;
        (engine, errors.iter().map(chain).collect())
    }

    /// What a look-up of a person's name says.
    pub(super) async fn look_up(&self, engine: &Engine, person: &Person) -> Result<Option<String>, LookupError> {
        let (name, _) = self.catalog.datasets["natural-person"].field("name").unwrap();
        let (dataset, key) = ("natural-person".parse().unwrap(), "resident_id".parse().unwrap());
        let found = engine.look_up(&dataset, &key, person.id.as_str(), &[name]).await?;
        Ok(found.rows.into_iter().next().map(|mut row| match row.remove(0) {
            Some(Value::Text(text)) => text,
            other => panic!("{other:?}"),
        }))
    }

    pub(super) async fn finds(&self, engine: &Engine, person: &Person) {
        let found = self.look_up(engine, person).await.unwrap_or_else(|error| panic!("{}", chain(&error)));
        assert_eq!(found.as_ref(), Some(&person.name));
    }

    pub(super) fn serving(engine: &Engine) -> Option<VersionNo> {
        engine.serving(&"natural-person".parse().unwrap()).map(|serving| serving.version)
    }

    /// The files in the cache that hold blocks.
    pub(super) fn copies(&self) -> Vec<PathBuf> {
        let files = fs::read_dir(self.cache()).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|ending| ending == "blocks")).collect()
    }
}

/// An error and what caused it, in one line.
pub(super) fn chain(error: &(impl std::error::Error + ?Sized)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
