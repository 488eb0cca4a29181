//! Following a new catalogue while calls are answered: datasets come, go and change.
//!
//! INVARIANT: the version of a [`Live`] was opened for its dataset's layout, so a position means the same column in both.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwapOption;
use datafusion::common::TableReference;

use super::{Engine, EngineError, Live, LookupError, arrow_schema, provider};
use crate::{
    catalog::{Catalog, Dataset},
    identifiers::FieldName,
};

impl Engine {
    /// Serve the datasets of this catalogue from now on.
    ///
    /// One whose layout is the same goes on with its version; one that is new or laid out anew has its newest version opened
    /// first, so that it is not missing in between. What could not be opened is returned, and is not served: of a version
    /// that does not fit the catalogue any more no record is read. One catalogue at a time.
    pub async fn take(&self, catalog: &Catalog) -> Result<Vec<EngineError>, EngineError> {
        let before = self.live.load_full();
        let (mut after, mut anew, mut errors) = (BTreeMap::new(), Vec::new(), Vec::new());
        for (id, dataset) in &catalog.datasets {
            let entry = match before.get(id) {
                Some(live) if same_layout(&live.dataset, dataset) => Arc::new(Live {
                    dataset: Arc::clone(dataset),
                    table: Arc::clone(&live.table),
                    current: Arc::clone(&live.current),
                }),
                Some(_) | None => {
                    let entry = Arc::new(self.fresh(dataset));
                    errors.extend(entry.refresh().await.err());
                    anew.push(Arc::clone(&entry));
                    entry
                }
            };
            after.insert(id.clone(), entry);
        }
        let gone = before.keys().filter(|id| !after.contains_key(*id));
        for id in gone.chain(anew.iter().map(|entry| &entry.dataset.id)) {
            self.session.deregister_table(TableReference::bare(id.as_str()))?;
        }
        for entry in &anew {
            self.register(entry)?;
        }
        self.live.store(Arc::new(after));
        Ok(errors)
    }

    /// A dataset of which nothing has been opened yet.
    pub(super) fn fresh(&self, dataset: &Arc<Dataset>) -> Live {
        Live {
            dataset: Arc::clone(dataset),
            table: Arc::new(self.tables.table(dataset.id.as_str())),
            current: Arc::new(ArcSwapOption::empty()),
        }
    }

    /// Let SQL find it.
    pub(super) fn register(&self, entry: &Live) -> Result<(), EngineError> {
        let table = provider::RegisterTable::new(&entry.dataset, Arc::clone(&entry.current));
        self.session.register_table(TableReference::bare(entry.dataset.id.as_str()), Arc::new(table))?;
        Ok(())
    }
}

/// Would a version that was opened for one be opened the same way for the other?
fn same_layout(one: &Dataset, other: &Dataset) -> bool {
    let kinds = |dataset: &Dataset| dataset.fields.iter().map(|field| field.kind.name()).collect::<Vec<_>>();
    let status = |dataset: &Dataset| dataset.status.as_ref().map(|status| status.field.clone());
    arrow_schema(one) == arrow_schema(other)
        && kinds(one) == kinds(other)
        && one.key == other.key
        && one.secondary_keys == other.secondary_keys
        && status(one) == status(other)
}

/// Positions of one declaration of a dataset as those of the one that is served; `None` where they are the same, which is
/// the rule: calls and engine share one catalogue but for the moment in which a new one is taken.
pub(super) fn translated(
    asked: &Dataset,
    served: &Dataset,
    by: &FieldName,
    fields: &[usize],
) -> Result<Option<Vec<usize>>, LookupError> {
    if std::ptr::eq(asked, served) {
        return Ok(None);
    }
    let position = |name: &FieldName| {
        let here = asked.field(name.as_str()).map(|(_, field)| field.kind.name());
        let there = served.field(name.as_str()).filter(|(_, field)| Some(field.kind.name()) == here);
        there
            .map(|(position, _)| position)
            .ok_or_else(|| LookupError::Changed { dataset: asked.id.clone(), field: name.clone() })
    };
    position(by)?;
    let known = |&field: &usize| asked.fields.get(field).map(|field| &field.name);
    fields.iter().filter_map(known).map(position).collect::<Result<Vec<_>, _>>().map(Some)
}
