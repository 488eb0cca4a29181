//! Which datasets a list shows.

use super::{Dataset, Department, SharingAttribute, SharingMode, UpdateCycle};
use crate::identifiers::{DepartmentId, NodeId};

/// What is asked of a dataset; what is `None` is not asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DatasetFilter {
    pub provider: Option<DepartmentId>,
    /// The node on which its provider is.
    pub node: Option<NodeId>,
    pub sharing: Option<SharingAttribute>,
    pub mode: Option<SharingMode>,
    /// Class, item, section, as far as wanted: the code begins with these digits.
    pub theme: Option<String>,
    pub sensitivity: Option<u8>,
    pub update_cycle: Option<UpdateCycle>,
}

impl DatasetFilter {
    pub fn accepts(&self, dataset: &Dataset, provider: Option<&Department>) -> bool {
        let node = || provider.map(|department| &department.node);
        self.provider.as_ref().is_none_or(|wanted| dataset.provider == *wanted)
            && self.node.as_ref().is_none_or(|wanted| node() == Some(wanted))
            && self.sharing.is_none_or(|wanted| dataset.sharing.attribute == wanted)
            && self.mode.is_none_or(|wanted| dataset.listing.modes.contains(&wanted))
            && self.theme.as_ref().is_none_or(|wanted| dataset.code.as_str().starts_with(wanted))
            && self.sensitivity.is_none_or(|wanted| dataset.sensitivity.level() == wanted)
            && self.update_cycle.is_none_or(|wanted| dataset.update_cycle == wanted)
    }
}
