//! Registered clients, each with its own public keys: systems of a department, and accounts of people, which have roles.

use std::{fmt, str::FromStr};

use chrono::{DateTime, TimeDelta, Utc};

use super::{Change, ClientKeys, Ledger, LedgerError, ON_SITE, acts::note, bump};
use crate::identifiers::{ClientId, DepartmentId, Roles};

/// Longest name of a client, in characters.
const NAME_CHARS_MAX: usize = 100;

/// A registered system of a department, or the account of somebody who works there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    pub id: ClientId,
    pub department: DepartmentId,
    pub name: String,
    pub keys: ClientKeys,
    /// None for a system. Who has roles makes no calls.
    pub roles: Roles,
    pub status: ClientStatus,
    pub registered_at: DateTime<Utc>,
    /// Tokens issued before this second are void. It starts at 1970 and moves when the client is suspended or its keys
    /// are replaced.
    pub tokens_from: DateTime<Utc>,
}

/// May the client call?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientStatus {
    Active,
    Suspended,
}

impl ClientStatus {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

impl FromStr for ClientStatus {
    type Err = LedgerError;
    fn from_str(text: &str) -> Result<Self, LedgerError> {
        match text {
            "active" => Ok(Self::Active),
            "suspended" => Ok(Self::Suspended),
            _ => Err(LedgerError::Damaged { reason: format!("status `{text}`") }),
        }
    }
}

impl fmt::Display for ClientStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What one has to say to register a client.
#[derive(Clone, Debug)]
pub struct Registration {
    pub id: ClientId,
    pub department: DepartmentId,
    pub name: String,
    pub keys: ClientKeys,
    /// None for a system.
    pub roles: Roles,
}

const SELECT: &str = "SELECT id, department, name, jwks, roles, status, registered_at, tokens_from FROM clients";
const SELECT_ONE: &str =
    "SELECT id, department, name, jwks, roles, status, registered_at, tokens_from FROM clients WHERE id = $1";
type Row = (String, String, String, String, String, String, i64, i64);

impl Ledger {
    /// Register a client. Its keys are public and its name is free, or it is refused.
    pub async fn register_client(&self, registration: Registration, now: DateTime<Utc>) -> Result<Client, LedgerError> {
        let Registration { id, department, name, keys, roles } = registration;
        let chars = name.chars().count();
        if chars == 0 || chars > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            return Err(LedgerError::ClientName { chars_max: NAME_CHARS_MAX });
        }
        let client = Client {
            id,
            department,
            name,
            keys,
            roles,
            status: ClientStatus::Active,
            registered_at: whole_second(now),
            tokens_from: DateTime::UNIX_EPOCH,
        };
        let action = "register a client";
        let mut change = self.write(action).await?;
        let inserted = sqlx::query(
            "INSERT INTO clients (id, department, name, jwks, roles, status, registered_at, tokens_from) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        )
        .bind(client.id.as_str())
        .bind(client.department.as_str())
        .bind(&client.name)
        .bind(client.keys.as_json())
        .bind(client.roles.to_string())
        .bind(client.status.as_str())
        .bind(client.registered_at.timestamp())
        .bind(client.tokens_from.timestamp())
        .execute(&mut *change)
        .await
        .map_err(LedgerError::failed(action))?;
        if inserted.rows_affected() == 0 {
            return Err(LedgerError::ClientExists { client: client.id });
        }
        changed(change, action, &client.id, &client.roles.to_string(), now).await?;
        Ok(client)
    }

    pub async fn client(&self, id: &ClientId) -> Result<Option<Client>, LedgerError> {
        let row: Option<Row> = sqlx::query_as(SELECT_ONE)
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(LedgerError::failed("read a client"))?;
        row.map(client_from).transpose()
    }

    /// Every client, by name.
    pub async fn clients(&self) -> Result<Vec<Client>, LedgerError> {
        let rows: Vec<Row> =
            sqlx::query_as(SELECT).fetch_all(&self.pool).await.map_err(LedgerError::failed("list the clients"))?;
        let mut clients = rows.into_iter().map(client_from).collect::<Result<Vec<_>, _>>()?;
        clients.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(clients)
    }

    /// Suspend a client, or let it call again. Tokens issued before a suspension stay void after it.
    pub async fn set_client_status(
        &self,
        id: &ClientId,
        status: ClientStatus,
        now: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let (action, statement) = match status {
            ClientStatus::Active => ("resume a client", "UPDATE clients SET status = 'active' WHERE id = $1"),
            ClientStatus::Suspended => (
                "suspend a client",
                "UPDATE clients SET status = 'suspended', \
                 tokens_from = CASE WHEN tokens_from > $2 THEN tokens_from ELSE $2 END WHERE id = $1",
            ),
        };
        let mut change = self.write(action).await?;
        let mut query = sqlx::query(statement).bind(id.as_str());
        if status == ClientStatus::Suspended {
            query = query.bind(next_second(now));
        }
        let updated = query.execute(&mut *change).await.map_err(LedgerError::failed(action))?;
        changed_one(id, updated.rows_affected())?;
        changed(change, action, id, "", now).await
    }

    /// Put other keys in the place of a client's keys. Tokens issued before are void: keys are replaced because they
    /// are old, or because they are lost.
    pub async fn replace_client_keys(
        &self,
        id: &ClientId,
        keys: &ClientKeys,
        now: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let action = "replace the keys of a client";
        let mut change = self.write(action).await?;
        let updated = sqlx::query(
            "UPDATE clients SET jwks = $3, \
             tokens_from = CASE WHEN tokens_from > $2 THEN tokens_from ELSE $2 END WHERE id = $1",
        )
        .bind(id.as_str())
        .bind(next_second(now))
        .bind(keys.as_json())
        .execute(&mut *change)
        .await
        .map_err(LedgerError::failed(action))?;
        changed_one(id, updated.rows_affected())?;
        changed(change, action, id, "", now).await
    }
}

/// Write the act down and make the change.
async fn changed(
    mut change: Change,
    action: &'static str,
    id: &ClientId,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), LedgerError> {
    note(&mut change, ON_SITE, action, id.as_str(), reason, now).await?;
    bump(&mut change).await?;
    change.commit().await.map_err(LedgerError::failed(action))
}

fn changed_one(id: &ClientId, rows: u64) -> Result<(), LedgerError> {
    if rows == 1 { Ok(()) } else { Err(LedgerError::ClientUnknown { client: id.clone() }) }
}

fn whole_second(now: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(now.timestamp(), 0).unwrap_or(now)
}

/// Tokens carry whole seconds. The second after `now` is the first that no token issued before `now` can carry.
fn next_second(now: DateTime<Utc>) -> i64 {
    (now + TimeDelta::seconds(1)).timestamp()
}

fn client_from(
    (id, department, name, jwks, roles, status, registered_at, tokens_from): Row,
) -> Result<Client, LedgerError> {
    let damaged = |reason: String| LedgerError::Damaged { reason: format!("`{id}`: {reason}") };
    let time = |second| DateTime::from_timestamp(second, 0).ok_or_else(|| damaged(format!("the time {second}")));
    Ok(Client {
        id: id.parse().map_err(|error| damaged(format!("{error}")))?,
        department: department.parse().map_err(|error| damaged(format!("{error}")))?,
        keys: ClientKeys::from_json(&jwks).map_err(|error| damaged(error.to_string()))?,
        roles: roles.parse().map_err(|error| damaged(format!("{error}")))?,
        status: status.parse()?,
        registered_at: time(registered_at)?,
        tokens_from: time(tokens_from)?,
        name,
    })
}

#[cfg(test)]
pub(super) mod fixture {
    use super::*;

    pub(in crate::ledger) fn registration(id: &ClientId) -> Registration {
        let keys = ClientKeys::from_json(r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AA","kid":"k1"}]}"#).unwrap();
        Registration {
            id: id.clone(),
            department: "gz-civil".parse().unwrap(),
            name: "窗口系统".to_owned(),
            keys,
            roles: Roles::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fixture::on_each, *};

    fn at(millisecond: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_764_000_000_000 + millisecond).unwrap()
    }

    #[tokio::test]
    async fn a_client_comes_back_as_it_was_registered() {
        on_each(async |ledger| {
            let id: ClientId = "gz-window".parse().unwrap();
            assert_eq!(ledger.client(&id).await.unwrap(), None);
            let registered = ledger.register_client(fixture::registration(&id), at(700)).await.unwrap();
            assert_eq!(ledger.client(&id).await.unwrap().as_ref(), Some(&registered));
            assert_eq!(ledger.clients().await.unwrap(), [registered]);
            let again = ledger.register_client(fixture::registration(&id), at(800)).await;
            assert!(matches!(again, Err(LedgerError::ClientExists { .. })), "{again:?}");
        })
        .await;
    }

    #[tokio::test]
    async fn every_change_moves_the_revision_and_suspension_voids_tokens() {
        on_each(async |ledger| {
            let id: ClientId = "gz-window".parse().unwrap();
            let mut seen = vec![ledger.stamp().await.unwrap()];
            let registered = ledger.register_client(fixture::registration(&id), at(0)).await.unwrap();
            seen.push(ledger.stamp().await.unwrap());

            ledger.set_client_status(&id, ClientStatus::Suspended, at(10_400)).await.unwrap();
            seen.push(ledger.stamp().await.unwrap());
            let suspended = ledger.client(&id).await.unwrap().unwrap();
            assert_eq!((suspended.status, suspended.tokens_from), (ClientStatus::Suspended, at(11_000)));

            ledger.set_client_status(&id, ClientStatus::Active, at(20_000)).await.unwrap();
            seen.push(ledger.stamp().await.unwrap());
            let resumed = ledger.client(&id).await.unwrap().unwrap();
            assert_eq!((resumed.status, resumed.tokens_from), (ClientStatus::Active, at(11_000)));

            let keys = ClientKeys::from_json(r#"{"kty":"OKP","crv":"Ed25519","x":"BB","kid":"k2"}"#).unwrap();
            ledger.replace_client_keys(&id, &keys, at(30_000)).await.unwrap();
            seen.push(ledger.stamp().await.unwrap());
            let replaced = ledger.client(&id).await.unwrap().unwrap();
            assert_eq!((&replaced.keys, replaced.tokens_from), (&keys, at(31_000)));
            assert_eq!(replaced.registered_at, registered.registered_at);
            assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
        })
        .await;
    }

    #[tokio::test]
    async fn an_unknown_client_and_an_empty_name_are_refused() {
        on_each(async |ledger| {
            let id: ClientId = "nobody".parse().unwrap();
            let unknown = ledger.set_client_status(&id, ClientStatus::Suspended, at(0)).await;
            assert!(matches!(unknown, Err(LedgerError::ClientUnknown { .. })));
            let nameless = Registration { name: String::new(), ..fixture::registration(&id) };
            assert!(matches!(ledger.register_client(nameless, at(0)).await, Err(LedgerError::ClientName { .. })));
        })
        .await;
    }
}
