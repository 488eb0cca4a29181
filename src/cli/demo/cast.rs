//! Who acts in the demo: systems of departments, and two persons; each with a key of its own in the node's folder.

use std::path::Path;

use anyhow::bail;
use chrono::{DateTime, Utc};

use crate::{
    catalog::Catalog,
    cli::call::key_file,
    identifiers::ClientId,
    keys::{PublicKeys, SigningKey},
    ledger::{ClientKeys, Ledger, Registration},
};

/// A system, or a person with roles.
pub(super) struct Member {
    id: &'static str,
    department: &'static str,
    name: &'static str,
    roles: &'static str,
}

pub(super) const fn system(id: &'static str, department: &'static str, name: &'static str) -> Member {
    Member { id, department, name, roles: "" }
}

/// The system of the housing department, for which the story's application is made.
pub(super) const HOUSING: &str = "gz-housing-system";
/// Applies on behalf of the housing department.
pub(super) const CLERK: &str = "gz-housing-clerk";
/// Decides on behalf of the department that keeps the register of enterprises.
pub(super) const APPROVER: &str = "gd-market-approver";

const SYSTEMS: [Member; 3] = [
    system("gz-hukou-window", "gz-administrative-approval", "Guangzhou household registration window"),
    system("sz-market-terminal", "sz-market-regulation", "Shenzhen business registration terminal"),
    system(HOUSING, "gz-housing", "Guangzhou housing fund system"),
];
const PERSONS: [Member; 2] = [
    Member { id: CLERK, department: "gz-housing", name: "Clerk of the housing department", roles: "consumer" },
    Member { id: APPROVER, department: "gd-market-regulation", name: "Approver of the register", roles: "approver" },
];

/// Register them all; the systems' names.
pub(super) async fn register(
    ledger: &Ledger,
    catalog: &Catalog,
    folder: &Path,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<ClientId>> {
    enrol(&PERSONS, ledger, catalog, folder, now).await?;
    enrol(&SYSTEMS, ledger, catalog, folder, now).await
}

/// Register these, unless they are; their names.
pub(super) async fn enrol(
    members: &[Member],
    ledger: &Ledger,
    catalog: &Catalog,
    folder: &Path,
    now: DateTime<Utc>,
) -> anyhow::Result<Vec<ClientId>> {
    let mut enrolled = Vec::new();
    for member in members {
        let id: ClientId = member.id.parse()?;
        let department = member.department.parse()?;
        if !catalog.departments.contains_key(&department) {
            bail!("department `{department}` is not in the demo's catalogue");
        }
        let key = SigningKey::load_or_create(&key_file(folder, &id))?;
        if ledger.client(&id).await?.is_none() {
            let keys = ClientKeys::from_json(&PublicKeys::new([key.public()]).jwks().to_string())?;
            let (name, roles) = (member.name.to_owned(), member.roles.parse()?);
            ledger.register_client(Registration { id: id.clone(), department, name, keys, roles }, now).await?;
        }
        enrolled.push(id);
    }
    Ok(enrolled)
}
