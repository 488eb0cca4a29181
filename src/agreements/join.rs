//! Declared agreements and granted ones together, each standing as the ledger says.
//!
//! Pure. Two in force at once for the same use would leave open which one decides; a revoked one decides nothing.

use std::{collections::HashMap, sync::Arc};

use super::{Agreements, AgreementsError};
use crate::{
    identifiers::{AgreementId, ApplicationId, ItemCode},
    ledger::{Agreed, AgreedMark, Agreement, Standing},
};

impl Agreements {
    /// These agreements, as far as they were declared, with those of the ledger.
    pub fn join(&self, agreed: &Agreed) -> Result<Self, AgreementsError> {
        let standings: HashMap<&AgreementId, Standing> =
            agreed.standings.iter().map(|(id, standing)| (id, *standing)).collect();
        let declared = self.declared().map(|agreement| standing(agreement, &standings));
        let granted = agreed.granted.iter().map(|agreement| standing(&Arc::new(agreement.clone()), &standings));
        let joined = Self { mark: agreed.mark, ..Self::new(declared.chain(granted).collect()) };
        match joined.first_overlap() {
            Some(overlap) => Err(overlap),
            None => Ok(joined),
        }
    }

    /// How much of the ledger is in them.
    pub fn mark(&self) -> AgreedMark {
        self.mark
    }

    /// Those from the file.
    fn declared(&self) -> impl Iterator<Item = &Arc<Agreement>> {
        self.iter().filter(|agreement| ApplicationId::of_agreement(&agreement.id).is_none())
    }

    /// One of these that is in force for one of the items on one of the days of another one.
    pub(super) fn in_the_way<'a>(&'a self, of: &'a Agreement) -> Option<(&'a ItemCode, &'a Agreement)> {
        let by_item = self.by_use.get(&of.consumer)?.get(&of.dataset)?;
        of.items.iter().find_map(|item| {
            let covering = by_item.get(item)?.iter();
            let mut standing = covering.filter(|other| other.standing != Standing::Revoked);
            let other =
                standing.find(|other| other.valid_from <= of.valid_until && of.valid_from <= other.valid_until)?;
            Some((item, &**other))
        })
    }

    fn first_overlap(&self) -> Option<AgreementsError> {
        let by_item = self.by_use.values().flat_map(HashMap::values).flatten();
        by_item.into_iter().find_map(|(item, covering)| {
            let mut longest: Option<&Agreement> = None;
            for agreement in covering.iter().filter(|agreement| agreement.standing != Standing::Revoked) {
                if let Some(earlier) = longest.filter(|earlier| agreement.valid_from <= earlier.valid_until) {
                    let (one, other) = (earlier.id.clone(), agreement.id.clone());
                    return Some(AgreementsError::Overlap {
                        one,
                        other,
                        item: item.clone(),
                        from: agreement.valid_from,
                    });
                }
                longest = longest.into_iter().chain([&**agreement]).max_by_key(|one| one.valid_until);
            }
            None
        })
    }
}

fn standing(agreement: &Arc<Agreement>, standings: &HashMap<&AgreementId, Standing>) -> Arc<Agreement> {
    let standing = standings.get(&agreement.id).copied().unwrap_or(Standing::InForce);
    if agreement.standing == standing {
        return Arc::clone(agreement);
    }
    Arc::new(Agreement { standing, ..Agreement::clone(agreement) })
}
