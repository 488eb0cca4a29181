//! An object store that speaks S3: how it is reached, and what its refusals mean.

use std::{path::PathBuf, sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ClientOptions, ObjectStore, RetryConfig,
    aws::{AmazonS3Builder, AmazonS3ConfigKey},
    path::Path as ObjectPath,
};
use url::{Host, Url};

use super::{StorageError, cache::Cache};

/// A call waits for what is read here, so a store that is away must be found out soon.
const READING: Patience = Patience {
    connect: Duration::from_millis(1_000),
    request: Duration::from_secs(10),
    retries: 2,
    retrying: Duration::from_secs(3),
};
/// A publication has time.
const WRITING: Patience = Patience {
    connect: Duration::from_secs(5),
    request: Duration::from_secs(120),
    retries: 8,
    retrying: Duration::from_secs(120),
};

struct Patience {
    connect: Duration,
    request: Duration,
    retries: usize,
    retrying: Duration,
}

/// Any one of these variables says where credentials come from.
const CREDENTIALS: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_METADATA_ENDPOINT",
];

/// Where the store is, who asks, and where what it said is kept.
pub struct StoreOptions {
    pub bucket: String,
    /// Folder of the tables in the bucket; may be empty.
    pub prefix: String,
    /// None: Amazon's, or that of the variables.
    pub endpoint: Option<Url>,
    /// The `AWS_` variables, credentials among them.
    pub variables: Vec<(String, String)>,
    pub cache: PathBuf,
    pub cache_bytes_max: u64,
    pub cache_block_bytes: u64,
}

/// A store with the cache before it.
#[derive(Debug)]
pub struct Store {
    /// `s3://bucket/prefix/`: the name of the place, whoever serves it.
    pub(super) url: Url,
    pub(super) prefix: ObjectPath,
    pub(super) reading: Arc<dyn ObjectStore>,
    pub(super) writing: Arc<dyn ObjectStore>,
    pub(super) cache: Arc<Cache>,
    /// Where it is asked; part of the names in the cache.
    pub(super) endpoint: String,
}

impl Store {
    /// Asks the store nothing yet.
    pub fn open(options: StoreOptions) -> Result<Self, StorageError> {
        let StoreOptions { bucket, prefix, endpoint, variables, cache, cache_bytes_max, cache_block_bytes } = options;
        let slash = if prefix.is_empty() { "" } else { "/" };
        let shown = format!("s3://{bucket}/{prefix}{slash}");
        let url = Url::parse(&shown);
        let url = url.map_err(|error| unusable(&shown, error.to_string()))?;
        if let Some(missing) = missing(&variables) {
            return Err(StorageError::NoCredentials { store: shown, missing });
        }
        let built = |patience| build(&bucket, endpoint.as_ref(), &variables, patience);
        let (reading, writing) = (built(&READING), built(&WRITING));
        Ok(Self {
            reading: reading.map_err(|error| unusable(&shown, error.to_string()))?,
            writing: writing.map_err(|error| unusable(&shown, error.to_string()))?,
            url,
            prefix: ObjectPath::from(prefix),
            cache: Arc::new(Cache::open(cache, cache_bytes_max, cache_block_bytes)?),
            endpoint: endpoint.map_or_else(String::new, String::from),
        })
    }
}

fn unusable(shown: &str, reason: String) -> StorageError {
    StorageError::Unsupported { path: shown.into(), reason }
}

fn missing(variables: &[(String, String)]) -> Option<&'static str> {
    let said = |name: &str| variables.iter().any(|(said, text)| said == name && !text.is_empty());
    if !CREDENTIALS.iter().any(|name| said(name)) {
        return Some("AWS_ACCESS_KEY_ID");
    }
    (said("AWS_ACCESS_KEY_ID") && !said("AWS_SECRET_ACCESS_KEY")).then_some("AWS_SECRET_ACCESS_KEY")
}

fn build(
    bucket: &str,
    endpoint: Option<&Url>,
    variables: &[(String, String)],
    patience: &Patience,
) -> Result<Arc<dyn ObjectStore>, object_store::Error> {
    let mut builder = AmazonS3Builder::new().with_client_options(
        ClientOptions::new().with_connect_timeout(patience.connect).with_timeout(patience.request),
    );
    for (name, text) in variables {
        // As `AmazonS3Builder::from_env` does; a variable that it does not know is none of ours.
        if let Ok(key) = name.to_ascii_lowercase().parse::<AmazonS3ConfigKey>() {
            builder = builder.with_config(key, text);
        }
    }
    if let Some(endpoint) = endpoint {
        builder = builder.with_config(AmazonS3ConfigKey::S3Endpoint, endpoint.as_str().trim_end_matches('/'));
        builder = builder.with_allow_http(is_here(endpoint));
    }
    let backoff =
        BackoffConfig { init_backoff: Duration::from_millis(50), max_backoff: Duration::from_secs(5), base: 2. };
    let retry = RetryConfig { backoff, max_retries: patience.retries, retry_timeout: patience.retrying };
    Ok(Arc::new(builder.with_bucket_name(bucket).with_retry(retry).build()?))
}

/// The settings let plain HTTP in for this machine only.
fn is_here(endpoint: &Url) -> bool {
    match endpoint.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

impl StorageError {
    /// What a store's error means to the person who runs the node.
    pub(super) fn of_store(shown: &str, action: &'static str, source: object_store::Error) -> Self {
        // A list that is refused comes as `Generic` around a type that is not public; only its text has the status.
        let text = source.to_string();
        let refused = ["401", "403"].iter().any(|status| text.contains(&format!("status code: {status}")));
        match source {
            object_store::Error::Unauthenticated { .. } | object_store::Error::PermissionDenied { .. } => {
                Self::Refused { store: shown.to_owned(), source: Box::new(source) }
            }
            source if refused => Self::Refused { store: shown.to_owned(), source: Box::new(source) },
            source => Self::Table { path: shown.into(), action, source: Box::new(source) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(variables: &[(&str, &str)]) -> Result<Store, StorageError> {
        let dir = tempfile::tempdir().unwrap();
        let variables = variables.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        Store::open(StoreOptions {
            bucket: "registers".to_owned(),
            prefix: "gd".to_owned(),
            endpoint: None,
            variables,
            cache: dir.path().join("cache"),
            cache_bytes_max: 1 << 20,
            cache_block_bytes: 4096,
        })
    }

    #[test]
    fn a_store_without_credentials_is_refused_by_the_name_of_the_variable() {
        let whole = [("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "hunter2")];
        assert_eq!(open(&whole).unwrap().url.as_str(), "s3://registers/gd/");
        for (variables, missing) in [
            (&[][..], "AWS_ACCESS_KEY_ID"),
            (&whole[..1], "AWS_SECRET_ACCESS_KEY"),
            (&whole[1..], "AWS_ACCESS_KEY_ID"),
            (&[("AWS_ACCESS_KEY_ID", "")], "AWS_ACCESS_KEY_ID"),
        ] {
            let refused = open(variables).unwrap_err().to_string();
            assert!(refused.contains(&format!("`{missing}`")) && !refused.contains("hunter2"), "{refused}");
        }
    }
}
