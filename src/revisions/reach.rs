//! Whose a change is: a steward keeps the datasets and items of one department.

use crate::{
    catalog::{
        Catalog,
        diff::{Change, Subject},
    },
    identifiers::{DepartmentId, Role},
    ledger::Actor,
    problem::{Code, Problem},
};

/// Everything that changes is of the actor's department, before and after; or the actor runs the node.
pub(super) fn check(actor: &Actor, old: &Catalog, new: &Catalog, changes: &[Change]) -> Result<(), Problem> {
    if actor.roles.has_any(&[Role::Operator]) {
        return Ok(());
    }
    let is_theirs = |subject: &Subject| {
        let mut owners = [owner(old, subject), owner(new, subject)].into_iter().flatten().peekable();
        owners.peek().is_some() && owners.all(|owner| *owner == actor.department)
    };
    let Some(other) = changes.iter().find(|change| !is_theirs(&change.subject)) else { return Ok(()) };
    let detail = format!("the {} is not of the department `{}`", other.subject, actor.department);
    Err(Problem::new(Code::RoleRequired, detail)
        .remedy("Let its department's steward propose this, or a steward who is an operator as well."))
}

/// The department that answers for it; nodes and departments are the platform's.
fn owner<'c>(catalog: &'c Catalog, subject: &Subject) -> Option<&'c DepartmentId> {
    match subject {
        Subject::Node(_) | Subject::Department(_) => None,
        Subject::Dataset(id) | Subject::Field(id, _) => catalog.datasets.get(id).map(|dataset| &dataset.provider),
        Subject::Item(code, _) => catalog.items.get(code).map(|item| &item.department),
    }
}
