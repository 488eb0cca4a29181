//! Identifiers: values that are right by construction.
//!
//! Floor 0: no I/O, uses nothing of ours. Text becomes one of these types once, at a door, and is never loose text
//! again. The five standards (`resident`, `credit`, `licence`, `division`, `item`) know their check digits, `resource` its
//! parts; `own` holds the names that this node gives out itself.

mod credit;
mod division;
mod item;
mod licence;
mod own;
mod resident;
mod resource;
mod role;
mod text;

pub use credit::CreditCode;
pub use division::{DivisionCode, DivisionLevel};
pub use item::{ItemCode, ItemCodeKind};
pub use licence::LicenceId;
pub use own::{
    AgreementId, ApplicationId, CallId, CaseNo, ClientId, ConsentRef, DatasetId, DeliveryId, DepartmentId, FieldName,
    MaterialId, NodeId, ObjectionId, Official, RecheckId, VersionNo,
};
pub use resident::{ResidentDocument, ResidentId, Sex};
pub use resource::{ResourceClass, ResourceCode};
pub use role::{Role, Roles};

/// Why a text is not the identifier it was taken for. The message never repeats a person's number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct IdentifierError {
    /// Which kind of identifier was expected, as a person would say it.
    pub kind: &'static str,
    /// One line, lower case: what is wrong with it.
    pub reason: String,
}

impl IdentifierError {
    pub(crate) fn new(kind: &'static str, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into() }
    }
}
