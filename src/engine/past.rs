//! A record as it was: one version opened by its number, asked once and let go.
//!
//! For stewards who look into what an answer came from. Nothing of it is kept, so what is being served is neither slower nor
//! larger for it.

use std::{error::Error, io, sync::Arc};

use datafusion::error::DataFusionError;

use super::{Engine, EngineError, Found, Version};
use crate::{
    catalog::Dataset,
    identifiers::{DatasetId, FieldName, VersionNo},
    problem::Code,
};

/// Why a version of before cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    #[error("version {version} of `{dataset}` has been removed, or was never published here")]
    Removed { dataset: DatasetId, version: VersionNo },
    #[error("version {version} of `{dataset}` is not laid out as the catalogue says today: {reason}")]
    OtherLayout { dataset: DatasetId, version: VersionNo, reason: String },
    #[error("version {version} of `{dataset}` holds more than {rows_max} records of that value")]
    TooMany { dataset: DatasetId, version: VersionNo, rows_max: usize },
    #[error("version {version} of `{dataset}` could not be read")]
    Unreadable {
        dataset: DatasetId,
        version: VersionNo,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl PastError {
    pub fn code(&self) -> Code {
        match self {
            Self::Removed { .. } => Code::VersionRemoved,
            Self::OtherLayout { .. } | Self::TooMany { .. } => Code::Conflict,
            Self::Unreadable { .. } => Code::StorageFailed,
        }
    }
}

impl Engine {
    /// The records whose `by` field held `value` in that version, as the fields at the given positions of the dataset.
    pub async fn look_up_at(
        &self,
        dataset: &Arc<Dataset>,
        version: VersionNo,
        by: &FieldName,
        value: &str,
        fields: &[usize],
    ) -> Result<Found, PastError> {
        let opened = Arc::new(self.open_at(dataset, version).await?);
        let looking = Box::pin(opened.look_up(&self.task, by, value, fields, self.rows_max));
        let rows = looking.await.map_err(|error| unusable(dataset, version, error.into()))?;
        if rows.len() > self.rows_max {
            return Err(PastError::TooMany { dataset: dataset.id.clone(), version, rows_max: self.rows_max });
        }
        Ok(Found { version, as_of: opened.as_of(), rows })
    }

    async fn open_at(&self, dataset: &Arc<Dataset>, version: VersionNo) -> Result<Version, PastError> {
        let failed = |error| unusable(dataset, version, error);
        let table = self.tables.table(dataset.id.as_str()).at(version).await.map_err(|error| failed(error.into()))?;
        let table = table.ok_or_else(|| PastError::Removed { dataset: dataset.id.clone(), version })?;
        let declared = Arc::clone(dataset);
        // Disk work, and it may wait for the store: off the runtime's threads.
        let opened = tokio::task::spawn_blocking(move || Version::open(&declared, table)).await;
        opened.map_err(|error| failed(DataFusionError::External(Box::new(error)).into()))?.map_err(failed)
    }
}

/// What an error says of a version: gone, of another layout, or out of reach at the moment.
fn unusable(dataset: &Dataset, version: VersionNo, error: EngineError) -> PastError {
    let dataset = dataset.id.clone();
    match error {
        EngineError::NotOurs { reason, .. } => PastError::OtherLayout { dataset, version, reason },
        error if is_gone(&error) => PastError::Removed { dataset, version },
        error => PastError::Unreadable { dataset, version, source: Box::new(error) },
    }
}

/// Does the error come down to a file that is not there?
fn is_gone(error: &EngineError) -> bool {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let file = error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::NotFound);
        if file || matches!(error.downcast_ref(), Some(object_store::Error::NotFound { .. })) {
            return true;
        }
        cause = error.source();
    }
    false
}
