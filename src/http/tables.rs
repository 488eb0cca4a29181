//! Where the tables are, from the settings.

use std::sync::Arc;

use crate::{
    config::{Settings, StoreEndpoint, TableStore},
    storage::{StorageError, Store, StoreOptions, Tables},
};

/// The tables of a node: the folder, or the store with its cache. Asks the store nothing yet.
pub fn tables(settings: &Settings) -> Result<Tables, StorageError> {
    let (bucket, prefix) = match &settings.tables.store {
        TableStore::Folder => return Ok(Tables::Folder(settings.paths.tables())),
        TableStore::S3 { bucket, prefix } => (bucket.clone(), prefix.clone()),
    };
    let endpoint = match &settings.tables.endpoint {
        StoreEndpoint::Aws => None,
        StoreEndpoint::Url(url) => Some(url.clone()),
    };
    let options = StoreOptions {
        bucket,
        prefix,
        endpoint,
        variables: settings.store_variables.all().to_vec(),
        cache: settings.paths.cache(),
        cache_bytes_max: settings.tables.cache_bytes_max,
        cache_block_bytes: settings.tables.cache_block_bytes,
    };
    Ok(Tables::Store(Arc::new(Store::open(options)?)))
}
