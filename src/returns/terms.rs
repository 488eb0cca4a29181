//! What leaves, of which records: the catalogue's return under the obligations of a decision.

use std::fmt::Write as _;

use super::{Cursor, ReturnError};
use crate::{
    audit::sha256,
    catalog::{Dataset, FieldKind, MaskStyle, Return},
    identifiers::{DatasetId, DivisionCode, FieldName, NodeId, VersionNo},
    policy::Obligations,
};

/// A field that leaves, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaving {
    pub field: FieldName,
    /// How it is masked, where it is.
    pub mask: Option<MaskStyle>,
}

/// The terms of one return.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    pub from: NodeId,
    pub to: NodeId,
    pub dataset: DatasetId,
    /// Records of this division leave, by this field.
    pub area: DivisionCode,
    pub division: FieldName,
    /// In the order of the dataset; the key is among them.
    pub leaving: Vec<Leaving>,
}

impl Terms {
    /// A field that is to be masked and is no text does not leave: a masked date is no date.
    pub fn new(from: &NodeId, dataset: &Dataset, to: &Return, obligations: &Obligations) -> Result<Self, ReturnError> {
        let no_division = || ReturnError::NoDivision { dataset: dataset.id.clone() };
        let division = dataset.division.clone().ok_or_else(no_division)?;
        let asked = dataset.fields.iter().filter(|field| to.fields.contains(&field.name));
        let leaving: Vec<_> = asked
            .filter(|field| !obligations.dropped.contains(&field.name))
            .filter_map(|field| {
                let mask = match (obligations.masked.contains(&field.name), &field.kind) {
                    (false, _) => None,
                    (true, FieldKind::Text { .. }) => Some(field.mask),
                    (true, _) => return None,
                };
                Some(Leaving { field: field.name.clone(), mask })
            })
            .collect();
        let is_whole_key = |one: &Leaving| one.field == dataset.key && one.mask.is_none();
        if !leaving.iter().any(is_whole_key) {
            return Err(ReturnError::KeyWithheld { dataset: dataset.id.clone(), key: dataset.key.clone() });
        }
        let (from, to_node) = (from.clone(), to.node.clone());
        Ok(Self { from, to: to_node, dataset: dataset.id.clone(), area: to.division, division, leaving })
    }

    /// Where a node is that has the slice of that version.
    pub fn cursor(&self, version: VersionNo) -> Cursor {
        let mut text = format!("{}\n{}\n{}\n{}\n{}\n", self.from, self.to, self.dataset, self.area, self.division);
        for one in &self.leaving {
            let _ = writeln!(text, "{} {:?}", one.field, one.mask); // Names have neither spaces nor line ends.
        }
        let mut terms = [0; 8];
        terms.copy_from_slice(&sha256(text.as_bytes()).0[..8]);
        Cursor { version, terms }
    }

    /// The fields that are in the slice.
    pub fn fields(&self) -> Vec<FieldName> {
        self.leaving.iter().map(|one| one.field.clone()).collect()
    }

    /// Those of them that are masked.
    pub fn masked(&self) -> Vec<FieldName> {
        self.leaving.iter().filter(|one| one.mask.is_some()).map(|one| one.field.clone()).collect()
    }

    /// The columns that are read of a register for it: those that leave, and the one that tells where a record belongs.
    pub fn columns(&self) -> Vec<FieldName> {
        let mut columns = self.fields();
        if !columns.contains(&self.division) {
            columns.push(self.division.clone());
        }
        columns
    }
}
