//! Agreements: who may use which fields for which items; and applications, which become them.
//!
//! Floor 3: may use `catalog` (and its way of reading declared files), `calendar`, `ledger`, `config`, `identifiers`,
//! `problem`. Some agreements are declared in one YAML file, which is checked against the catalogue as a whole; the others
//! began as applications and are in the ledger. Promises that an agreement grants no more than its items need and than the
//! fields' disclosure allows, and that at most one is in force for a consumer, a dataset and an item on any day.
//!
//! ```text
//! agreements.yaml --read--> RawAgreement --check against Catalog--> Agreements ─┐
//! Wish --terms--> application --review--> granted, in the ledger ───────────────┴ join ─> Agreements
//!                                                             find(consumer, dataset, item, today) ─>
//! ```

mod application;
mod check;
mod clock;
mod desk;
mod join;
mod law;
mod raw;
mod review;
mod standing;
mod terms;
mod view;

use std::{
    collections::{BTreeSet, HashMap},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use chrono::NaiveDate;

pub use clock::due;
pub use desk::{Desk, DeskError, Listing, Sweep};
pub use review::Review;
pub use standing::Renewal;
pub use terms::{Narrowing, Wish};
pub use view::{AgreementView, ApplicationView, DossierView, EventView, GrantedEventView, TermsView};

use crate::{
    catalog::{self, Catalog, Complaint, complaint::Summary, yaml},
    identifiers::{AgreementId, DatasetId, DepartmentId, ItemCode},
    ledger::{AgreedMark, Agreement},
    problem::Code,
};

/// Why there are no agreements.
#[derive(Debug, thiserror::Error)]
pub enum AgreementsError {
    #[error("the file of agreements `{path}` cannot be read")]
    Unreadable {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Never empty.
    #[error("{}", Summary { what: "the agreements", complaints })]
    Inconsistent { complaints: Vec<Complaint> },
    #[error(
        "the agreements `{one}` and `{other}` are both in force for the item {item} from {from}. \
         Let the declared one end before, or revoke the other"
    )]
    Overlap { one: AgreementId, other: AgreementId, item: ItemCode, from: NaiveDate },
}

impl AgreementsError {
    pub fn code(&self) -> Code {
        match self {
            Self::Unreadable { .. } => Code::StorageFailed,
            Self::Inconsistent { .. } | Self::Overlap { .. } => Code::CatalogInvalid,
        }
    }

    /// What was found wrong in the file, where it could be read.
    pub fn complaints(&self) -> &[Complaint] {
        match self {
            Self::Inconsistent { complaints } => complaints,
            Self::Unreadable { .. } | Self::Overlap { .. } => &[],
        }
    }
}

/// For each item, its agreements in the order of their days.
type ByItem = HashMap<ItemCode, Vec<Arc<Agreement>>>;

/// All agreements, those that have ended and those to come included: a refusal can then name the one that has lapsed.
#[derive(Debug, Default)]
pub struct Agreements {
    all: Vec<Arc<Agreement>>,
    by_use: HashMap<DepartmentId, HashMap<DatasetId, ByItem>>,
    mark: AgreedMark,
}

impl Agreements {
    /// The agreement that covers this use: the one in force on that day; else one that would be, but is suspended or revoked;
    /// else the last one that has ended; else the first one to come.
    pub fn find(
        &self,
        consumer: &DepartmentId,
        dataset: &DatasetId,
        item: &ItemCode,
        today: NaiveDate,
    ) -> Option<&Arc<Agreement>> {
        let covering = self.by_use.get(consumer)?.get(dataset)?.get(item)?;
        let ended = || covering.iter().rev().find(|agreement| agreement.valid_until < today);
        let stopped = || covering.iter().find(|agreement| agreement.covers(today));
        let in_force = covering.iter().find(|agreement| agreement.is_in_force_on(today));
        in_force.or_else(stopped).or_else(ended).or_else(|| covering.first())
    }

    /// All of them: in the order of the file, then of the applications.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Agreement>> {
        self.all.iter()
    }

    fn new(all: Vec<Arc<Agreement>>) -> Self {
        let mut by_use: HashMap<_, HashMap<_, HashMap<_, Vec<Arc<Agreement>>>>> = HashMap::new();
        for agreement in &all {
            let items = by_use.entry(agreement.consumer.clone()).or_default();
            let items = items.entry(agreement.dataset.clone()).or_default();
            for item in &agreement.items {
                let covering = items.entry(item.clone()).or_default();
                covering.push(Arc::clone(agreement));
                covering.sort_by_key(|agreement| agreement.valid_from);
            }
        }
        Self { all, by_use, mark: AgreedMark::default() }
    }
}

/// Read the agreements from that file and check them against the catalogue.
pub fn load(path: &Path, catalog: &Catalog) -> Result<Agreements, AgreementsError> {
    let unreadable = |source| AgreementsError::Unreadable { path: path.to_owned(), source };
    let text = catalog::read(path).map_err(unreadable)?;
    load_from(&path.display().to_string(), &text, catalog)
}

/// The same without some of them, which a change of the catalogue has ended: they name what is no longer there.
pub fn load_except(
    path: &Path,
    catalog: &Catalog,
    ended: &BTreeSet<AgreementId>,
) -> Result<Agreements, AgreementsError> {
    let unreadable = |source| AgreementsError::Unreadable { path: path.to_owned(), source };
    let text = catalog::read(path).map_err(unreadable)?;
    read_except(&path.display().to_string(), &text, catalog, ended)
}

/// Check a text, under the name that complaints give it, against the catalogue.
pub fn load_from(name: &str, text: &str, catalog: &Catalog) -> Result<Agreements, AgreementsError> {
    read_except(name, text, catalog, &BTreeSet::new())
}

fn read_except(
    name: &str,
    text: &str,
    catalog: &Catalog,
    ended: &BTreeSet<AgreementId>,
) -> Result<Agreements, AgreementsError> {
    let inconsistent = |complaints| AgreementsError::Inconsistent { complaints };
    let file = yaml::read(name, text).map_err(|complaint| inconsistent(vec![complaint]))?;
    check::agreements(name, &file, catalog, ended).map(Agreements::new).map_err(inconsistent)
}

/// The JSON Schema of a file of agreements, for editors.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(raw::RawFile).to_value()
}

#[cfg(test)]
mod tests;
