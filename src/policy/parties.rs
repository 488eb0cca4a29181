//! Client and dataset in Cedar's terms, kept from one question to the next.
//!
//! Making them costs a third of a decision, and they are the same for every call of a client on a dataset. What they were
//! made of is kept with them and compared every time, so that a change of the catalogue is never missed.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use cedar_policy::Entities;

use super::{Question, files::Names};
use crate::{
    catalog::{Sensitivity, SharingAttribute},
    identifiers::{ClientId, DatasetId, DepartmentId, DivisionCode, NodeId},
};

/// Pairs kept; those of more clients and datasets are made anew each time.
const PAIRS_MAX: usize = 8_192;

/// Everything that the two are made of. What is added to [`Question::entities`] is added here.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Origin {
    department: DepartmentId,
    division: DivisionCode,
    node: NodeId,
    provider: DepartmentId,
    sharing: SharingAttribute,
    sensitivity: Sensitivity,
    by_division: bool,
}

type Pairs = HashMap<(ClientId, DatasetId), (Origin, Arc<Entities>)>;

/// The pairs that were asked for.
#[derive(Debug, Default)]
pub(super) struct Parties(ArcSwap<Pairs>);

impl Parties {
    /// The two of a question.
    pub(super) fn of(&self, question: &Question<'_>, names: &Names) -> Result<Arc<Entities>, String> {
        let (department, dataset) = (question.department, question.dataset);
        let origin = Origin {
            department: department.id.clone(),
            division: department.division,
            node: department.node.clone(),
            provider: dataset.provider.clone(),
            sharing: dataset.sharing.attribute,
            sensitivity: dataset.sensitivity,
            by_division: dataset.division.is_some(),
        };
        let pair = (question.client.clone(), dataset.id.clone());
        if let Some((known, entities)) = self.0.load().get(&pair)
            && *known == origin
        {
            return Ok(Arc::clone(entities));
        }
        let entities = Arc::new(question.entities(names, None)?);
        self.0.rcu(|pairs| {
            let mut pairs = HashMap::clone(pairs);
            if pairs.len() < PAIRS_MAX || pairs.contains_key(&pair) {
                pairs.insert(pair.clone(), (origin.clone(), Arc::clone(&entities)));
            }
            pairs
        });
        Ok(entities)
    }
}
