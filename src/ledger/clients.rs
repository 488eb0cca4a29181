//! Registered clients: systems of a department, each with its own public keys.

use std::{fmt, str::FromStr};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{Ledger, LedgerError};
use crate::identifiers::{ClientId, DepartmentId};

/// Longest name of a client, in characters.
const NAME_CHARS_MAX: usize = 100;
/// Largest key set, in bytes of JSON, and the most keys in it: a few generations of a few key types.
const KEYS_BYTES_MAX: usize = 32 * 1024;
const KEYS_MAX: usize = 16;
/// Members of a JWK that only a private or a shared key has (RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1, RFC 8037).
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A registered system of a department.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    pub id: ClientId,
    pub department: DepartmentId,
    pub name: String,
    pub keys: ClientKeys,
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
}

/// The public keys of a client as a JWK set (RFC 7517).
///
/// Holds: JSON of at most 32 KiB with 1 to 16 keys, no private or shared key among them, every `kid` only once, and a
/// `kid` in every key where there are several. Which key types can be used is for `identity` to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientKeys {
    json: String,
    kids: Vec<Option<String>>,
}

impl ClientKeys {
    /// Read a JWK set, or a single JWK.
    pub fn from_json(text: &str) -> Result<Self, LedgerError> {
        let bad = |reason: String| LedgerError::NotAKeySet { reason };
        if text.len() > KEYS_BYTES_MAX {
            return Err(bad(format!("it is longer than {KEYS_BYTES_MAX} bytes")));
        }
        let mut document: Value = serde_json::from_str(text).map_err(|_| bad("it is not JSON".to_owned()))?;
        let keys = match document.get_mut("keys").map(Value::take) {
            Some(Value::Array(keys)) => keys,
            Some(_) => return Err(bad("`keys` is not a list".to_owned())),
            None if document.get("kty").is_some() => vec![document],
            None => return Err(bad("it has neither `keys` nor `kty`".to_owned())),
        };
        if keys.is_empty() || keys.len() > KEYS_MAX {
            return Err(bad(format!("it has {} keys, a client has 1 to {KEYS_MAX}", keys.len())));
        }
        let kids =
            keys.iter().enumerate().map(|(position, key)| public_kid(position, key)).collect::<Result<Vec<_>, _>>()?;
        for (position, kid) in kids.iter().enumerate() {
            if kid.is_none() && kids.len() > 1 {
                return Err(bad(format!("key {position} lacks `kid`. Name each key where there are several")));
            }
            if kids[..position].contains(kid) {
                return Err(bad(format!("key {position} has the `kid` of another")));
            }
        }
        Ok(Self { json: serde_json::json!({ "keys": keys }).to_string(), kids })
    }

    /// The JWK set document.
    pub fn as_json(&self) -> &str {
        &self.json
    }

    /// The key ids, in the order of the set; a single key may have none.
    pub fn kids(&self) -> impl Iterator<Item = Option<&str>> {
        self.kids.iter().map(Option::as_deref)
    }
}

/// The `kid` of a JWK that is public.
fn public_kid(position: usize, key: &Value) -> Result<Option<String>, LedgerError> {
    let bad = |reason: &str| LedgerError::NotAKeySet { reason: format!("key {position} {reason}") };
    let members = key.as_object().ok_or_else(|| bad("is not an object"))?;
    if let Some(member) = PRIVATE_MEMBERS.into_iter().find(|member| members.contains_key(*member)) {
        return Err(LedgerError::PrivateKey { position, member });
    }
    if !members.get("kty").is_some_and(Value::is_string) {
        return Err(bad("lacks `kty`"));
    }
    match members.get("kid") {
        None => Ok(None),
        Some(Value::String(kid)) if !kid.is_empty() => Ok(Some(kid.clone())),
        Some(_) => Err(bad("has a `kid` that is no text")),
    }
}

const SELECT: &str = "SELECT id, department, name, jwks, status, registered_at, tokens_from FROM clients";
const SELECT_ONE: &str =
    "SELECT id, department, name, jwks, status, registered_at, tokens_from FROM clients WHERE id = ?";
type Row = (String, String, String, String, String, i64, i64);

impl Ledger {
    /// Register a client. Its keys are public and its name is free, or it is refused.
    pub async fn register_client(&self, registration: Registration, now: DateTime<Utc>) -> Result<Client, LedgerError> {
        let Registration { id, department, name, keys } = registration;
        let chars = name.chars().count();
        if chars == 0 || chars > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            return Err(LedgerError::ClientName { chars_max: NAME_CHARS_MAX });
        }
        let client = Client {
            id,
            department,
            name,
            keys,
            status: ClientStatus::Active,
            registered_at: whole_second(now),
            tokens_from: DateTime::UNIX_EPOCH,
        };
        let inserted = sqlx::query(
            "INSERT INTO clients (id, department, name, jwks, status, registered_at, tokens_from) \
             VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(client.id.as_str())
        .bind(client.department.as_str())
        .bind(&client.name)
        .bind(client.keys.as_json())
        .bind(client.status.as_str())
        .bind(client.registered_at.timestamp())
        .bind(client.tokens_from.timestamp())
        .execute(&self.pool)
        .await
        .map_err(LedgerError::failed("register a client"))?;
        if inserted.rows_affected() == 0 {
            return Err(LedgerError::ClientExists { client: client.id });
        }
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

    /// A number that differs whenever any client has changed, by this process or another.
    pub async fn clients_revision(&self) -> Result<i64, LedgerError> {
        let row: (i64,) = sqlx::query_as("SELECT number FROM clients_revision")
            .fetch_one(&self.pool)
            .await
            .map_err(LedgerError::failed("read the revision of the clients"))?;
        Ok(row.0)
    }

    /// Suspend a client, or let it call again. Tokens issued before a suspension stay void after it.
    pub async fn set_client_status(
        &self,
        id: &ClientId,
        status: ClientStatus,
        now: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let statement = match status {
            ClientStatus::Active => sqlx::query("UPDATE clients SET status = 'active' WHERE id = ?"),
            ClientStatus::Suspended => {
                sqlx::query("UPDATE clients SET tokens_from = MAX(tokens_from, ?), status = 'suspended' WHERE id = ?")
                    .bind(next_second(now))
            }
        };
        let updated = statement
            .bind(id.as_str())
            .execute(&self.pool)
            .await
            .map_err(LedgerError::failed("change the status of a client"))?;
        changed_one(id, updated.rows_affected())
    }

    /// Put other keys in the place of a client's keys. Tokens issued before are void: keys are replaced because they
    /// are old, or because they are lost.
    pub async fn replace_client_keys(
        &self,
        id: &ClientId,
        keys: &ClientKeys,
        now: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let updated = sqlx::query("UPDATE clients SET tokens_from = MAX(tokens_from, ?), jwks = ? WHERE id = ?")
            .bind(next_second(now))
            .bind(keys.as_json())
            .bind(id.as_str())
            .execute(&self.pool)
            .await
            .map_err(LedgerError::failed("replace the keys of a client"))?;
        changed_one(id, updated.rows_affected())
    }
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

fn client_from((id, department, name, jwks, status, registered_at, tokens_from): Row) -> Result<Client, LedgerError> {
    let damaged = |reason: String| LedgerError::Damaged { reason: format!("`{id}`: {reason}") };
    let time = |second| DateTime::from_timestamp(second, 0).ok_or_else(|| damaged(format!("the time {second}")));
    Ok(Client {
        id: id.parse().map_err(|error| damaged(format!("{error}")))?,
        department: department.parse().map_err(|error| damaged(format!("{error}")))?,
        keys: ClientKeys::from_json(&jwks).map_err(|error| damaged(error.to_string()))?,
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
        Registration { id: id.clone(), department: "gz-civil".parse().unwrap(), name: "窗口系统".to_owned(), keys }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millisecond: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(1_764_000_000_000 + millisecond).unwrap()
    }

    #[tokio::test]
    async fn a_client_comes_back_as_it_was_registered() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&dir.path().join("ledger.sqlite")).await.unwrap();
        let id: ClientId = "gz-window".parse().unwrap();
        assert_eq!(ledger.client(&id).await.unwrap(), None);
        let registered = ledger.register_client(fixture::registration(&id), at(700)).await.unwrap();
        assert_eq!(ledger.client(&id).await.unwrap().as_ref(), Some(&registered));
        assert_eq!(ledger.clients().await.unwrap(), [registered]);
        let again = ledger.register_client(fixture::registration(&id), at(800)).await;
        assert!(matches!(again, Err(LedgerError::ClientExists { .. })), "{again:?}");
    }

    #[tokio::test]
    async fn every_change_moves_the_revision_and_suspension_voids_tokens() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&dir.path().join("ledger.sqlite")).await.unwrap();
        let id: ClientId = "gz-window".parse().unwrap();
        let mut seen = vec![ledger.clients_revision().await.unwrap()];
        let registered = ledger.register_client(fixture::registration(&id), at(0)).await.unwrap();
        seen.push(ledger.clients_revision().await.unwrap());

        ledger.set_client_status(&id, ClientStatus::Suspended, at(10_400)).await.unwrap();
        seen.push(ledger.clients_revision().await.unwrap());
        let suspended = ledger.client(&id).await.unwrap().unwrap();
        assert_eq!((suspended.status, suspended.tokens_from), (ClientStatus::Suspended, at(11_000)));

        ledger.set_client_status(&id, ClientStatus::Active, at(20_000)).await.unwrap();
        seen.push(ledger.clients_revision().await.unwrap());
        let resumed = ledger.client(&id).await.unwrap().unwrap();
        assert_eq!((resumed.status, resumed.tokens_from), (ClientStatus::Active, at(11_000)));

        let keys = ClientKeys::from_json(r#"{"kty":"OKP","crv":"Ed25519","x":"BB","kid":"k2"}"#).unwrap();
        ledger.replace_client_keys(&id, &keys, at(30_000)).await.unwrap();
        seen.push(ledger.clients_revision().await.unwrap());
        let replaced = ledger.client(&id).await.unwrap().unwrap();
        assert_eq!((&replaced.keys, replaced.tokens_from), (&keys, at(31_000)));
        assert_eq!(replaced.registered_at, registered.registered_at);
        assert!(seen.is_sorted_by(|a, b| a < b), "{seen:?}");
    }

    #[tokio::test]
    async fn an_unknown_client_and_an_empty_name_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(&dir.path().join("ledger.sqlite")).await.unwrap();
        let id: ClientId = "nobody".parse().unwrap();
        let unknown = ledger.set_client_status(&id, ClientStatus::Suspended, at(0)).await;
        assert!(matches!(unknown, Err(LedgerError::ClientUnknown { .. })));
        let nameless = Registration { name: String::new(), ..fixture::registration(&id) };
        assert!(matches!(ledger.register_client(nameless, at(0)).await, Err(LedgerError::ClientName { .. })));
    }

    #[test]
    fn private_halves_and_shared_keys_are_refused_by_name() {
        for member in PRIVATE_MEMBERS {
            let text = format!(r#"{{"keys":[{{"kty":"OKP","kid":"a"}},{{"kty":"X","kid":"b","{member}":"secret"}}]}}"#);
            let error = ClientKeys::from_json(&text).unwrap_err();
            assert!(matches!(error, LedgerError::PrivateKey { position: 1, member: m } if m == member), "{error:?}");
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn a_key_set_that_cannot_be_told_apart_is_refused() {
        let many = (0..17).map(|n| format!(r#"{{"kty":"EC","kid":"{n}"}}"#)).collect::<Vec<_>>().join(",");
        let cases = [
            ("", "not JSON"),
            ("[]", "neither"),
            ("{}", "neither"),
            (r#"{"keys":{}}"#, "not a list"),
            (r#"{"keys":[]}"#, "0 keys"),
            (r#"{"keys":[1]}"#, "key 0 is not an object"),
            (r#"{"keys":[{"kid":"a"}]}"#, "key 0 lacks `kty`"),
            (r#"{"keys":[{"kty":"EC","kid":7}]}"#, "no text"),
            (r#"{"keys":[{"kty":"EC","kid":"a"},{"kty":"EC"}]}"#, "key 1 lacks `kid`"),
            (r#"{"keys":[{"kty":"EC","kid":"a"},{"kty":"EC","kid":"a"}]}"#, "`kid` of another"),
            (&format!(r#"{{"keys":[{many}]}}"#), "17 keys"),
            (&" ".repeat(KEYS_BYTES_MAX + 1), "longer than"),
        ];
        for (text, reason) in cases {
            let error = ClientKeys::from_json(text).unwrap_err().to_string();
            assert!(error.contains(reason), "{text}: {error}");
        }
    }
}
