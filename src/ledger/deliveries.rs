//! Deliveries: that a re-check has ended, on its way to its client's address. Claimed by lease, as re-checks are.

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use super::{
    Change, Ledger, LedgerError, acts, millis,
    rechecks::{damaged, parsed},
    time,
};
use crate::identifiers::{ClientId, DeliveryId, RecheckId};

/// What became of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeliveryState {
    Waiting,
    /// The client's system has said that it has it.
    Delivered,
    /// It was tried as often as it is; somebody has to look.
    Dead,
}

impl DeliveryState {
    pub const ALL: &'static [Self] = &[Self::Waiting, Self::Delivered, Self::Dead];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.as_str() == word)
    }
}

/// A delivery. What is told is the re-check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    pub id: DeliveryId,
    pub recheck: RecheckId,
    pub client: ClientId,
    pub state: DeliveryState,
    /// Tries that were begun since it was made, or replayed.
    pub tries: u32,
    pub made_at: DateTime<Utc>,
    pub due_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    /// Why the last try failed.
    pub failure: Option<String>,
}

/// Which deliveries to list. None: of any.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    pub client: Option<ClientId>,
    pub state: Option<DeliveryState>,
    /// Those made before this one; the latest come first.
    pub before: Option<DeliveryId>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: String,
    recheck: String,
    client: String,
    state: String,
    tries: i64,
    made_at: i64,
    due_at: i64,
    ended_at: Option<i64>,
    failure: Option<String>,
}

/// Those that are due: of each client with an address the first one, whose re-check is sealed under that key.
const DUE: &str = "SELECT MIN(d.id) FROM deliveries d JOIN rechecks r ON r.id = d.recheck \
                   JOIN webhooks w ON w.client = d.client \
                   WHERE d.state = 'waiting' AND d.due_at <= $1 AND r.sealed_by = $2 GROUP BY d.client LIMIT $3";

/// Have the end of a re-check told, where its client has an address.
pub(super) async fn make(
    change: &mut Change,
    id: &DeliveryId,
    recheck: &RecheckId,
    client: &ClientId,
    now: DateTime<Utc>,
) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO deliveries (id, recheck, client, state, tries, made_at, due_at) \
         SELECT $1, $2, client, 'waiting', 0, $4, $4 FROM webhooks WHERE client = $3",
    )
    .bind(id.to_string())
    .bind(recheck.to_string())
    .bind(client.as_str())
    .bind(millis(now))
    .execute(&mut **change)
    .await
    .map_err(LedgerError::failed("make a delivery"))?;
    Ok(())
}

impl Ledger {
    pub async fn delivery(&self, id: &DeliveryId) -> Result<Option<Delivery>, LedgerError> {
        let row: Option<Row> = sqlx::query_as("SELECT * FROM deliveries WHERE id = $1")
            .bind(id.to_string())
            .fetch_optional(&self.pool)
            .await
            .map_err(LedgerError::failed("read a delivery"))?;
        row.map(delivery_from).transpose()
    }

    /// Deliveries, the latest first.
    pub async fn deliveries(&self, filter: &DeliveryFilter, limit: u32) -> Result<Vec<Delivery>, LedgerError> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT * FROM deliveries WHERE ($1 = '' OR client = $1) AND ($2 = '' OR state = $2) \
             AND ($3 = '' OR id < $3) ORDER BY id DESC LIMIT $4",
        )
        .bind(filter.client.as_ref().map_or("", |client| client.as_str()))
        .bind(filter.state.map_or("", DeliveryState::as_str))
        .bind(filter.before.as_ref().map_or_else(String::new, ToString::to_string))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await
        .map_err(LedgerError::failed("list the deliveries"))?;
        rows.into_iter().map(delivery_from).collect()
    }

    /// Take what is due, at most one of a client and so many in all, for `lease`; with the address as it is now.
    pub async fn claim_deliveries(
        &self,
        sealed_by: &str,
        lease: TimeDelta,
        most: u32,
        now: DateTime<Utc>,
    ) -> Result<Vec<(Delivery, Url)>, LedgerError> {
        let action = "take the deliveries that are due";
        let failed = || LedgerError::failed(action);
        let looked: Vec<(String,)> = sqlx::query_as(DUE)
            .bind(millis(now))
            .bind(sealed_by)
            .bind(1_i64)
            .fetch_all(&self.pool)
            .await
            .map_err(failed())?;
        if looked.is_empty() {
            return Ok(Vec::new());
        }
        let mut change = self.write(action).await?;
        let due: Vec<(String,)> = sqlx::query_as(DUE)
            .bind(millis(now))
            .bind(sealed_by)
            .bind(i64::from(most))
            .fetch_all(&mut *change)
            .await
            .map_err(failed())?;
        let mut claimed = Vec::new();
        for (id,) in due {
            let row: Row =
                sqlx::query_as("UPDATE deliveries SET due_at = $2, tries = tries + 1 WHERE id = $1 RETURNING *")
                    .bind(&id)
                    .bind(millis(now + lease))
                    .fetch_one(&mut *change)
                    .await
                    .map_err(failed())?;
            let url: (String,) = sqlx::query_as("SELECT url FROM webhooks WHERE client = $1")
                .bind(&row.client)
                .fetch_one(&mut *change)
                .await
                .map_err(failed())?;
            let url = url.0.parse().map_err(|error: url::ParseError| damaged(&error))?;
            claimed.push((delivery_from(row)?, url));
        }
        change.commit().await.map_err(failed())?;
        Ok(claimed)
    }

    /// The client's system has it. `false`: it is no longer ours.
    pub async fn delivered(&self, claimed: &Delivery, now: DateTime<Utc>) -> Result<bool, LedgerError> {
        let updated = sqlx::query(
            "UPDATE deliveries SET state = 'delivered', ended_at = $3 WHERE id = $1 AND state = 'waiting' AND tries = $2",
        )
        .bind(claimed.id.to_string())
        .bind(i64::from(claimed.tries))
        .bind(millis(now))
        .execute(&self.pool)
        .await
        .map_err(LedgerError::failed("note that something was delivered"))?;
        Ok(updated.rows_affected() == 1)
    }

    /// It did not arrive: try again then; or never, and it is dead. `false`: it is no longer ours.
    pub async fn not_delivered(
        &self,
        claimed: &Delivery,
        failure: &str,
        again_at: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Result<bool, LedgerError> {
        let statement = match again_at {
            Some(_) => {
                "UPDATE deliveries SET failure = $3, due_at = $4 WHERE id = $1 AND state = 'waiting' AND tries = $2"
            }
            None => {
                "UPDATE deliveries SET failure = $3, ended_at = $4, state = 'dead' \
                 WHERE id = $1 AND state = 'waiting' AND tries = $2"
            }
        };
        let updated = sqlx::query(statement)
            .bind(claimed.id.to_string())
            .bind(i64::from(claimed.tries))
            .bind(failure)
            .bind(millis(again_at.unwrap_or(now)))
            .execute(&self.pool)
            .await
            .map_err(LedgerError::failed("note that something was not delivered"))?;
        Ok(updated.rows_affected() == 1)
    }

    /// Send something again that is dead, or was delivered. `false`: it is on its way, or its client has no address.
    pub async fn replay_delivery(
        &self,
        id: &DeliveryId,
        account: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, LedgerError> {
        let action = "replay a delivery";
        let mut change = self.write(action).await?;
        let updated = sqlx::query(
            "UPDATE deliveries SET state = 'waiting', tries = 0, due_at = $2, ended_at = NULL WHERE id = $1 \
             AND state <> 'waiting' AND client IN (SELECT client FROM webhooks)",
        )
        .bind(id.to_string())
        .bind(millis(now))
        .execute(&mut *change)
        .await
        .map_err(LedgerError::failed(action))?;
        if updated.rows_affected() == 0 {
            return Ok(false);
        }
        acts::note(&mut change, account, action, &id.to_string(), "", now).await?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(true)
    }
}

fn delivery_from(row: Row) -> Result<Delivery, LedgerError> {
    let state = DeliveryState::from_word(&row.state).ok_or_else(|| damaged(&format!("the state `{}`", row.state)))?;
    Ok(Delivery {
        id: parsed(&row.id)?,
        recheck: parsed(&row.recheck)?,
        client: parsed(&row.client)?,
        state,
        tries: u32::try_from(row.tries).unwrap_or(u32::MAX),
        made_at: time(row.made_at)?,
        due_at: time(row.due_at)?,
        ended_at: row.ended_at.map(time).transpose()?,
        failure: row.failure,
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{
        super::{NewRecheck, RecheckState, clients::fixture::registration, fixture::on_each},
        *,
    };
    use crate::identifiers::CallId;

    const LEASE: TimeDelta = TimeDelta::seconds(30);

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_764_000_000 + second, 0).unwrap()
    }

    /// A re-check of the client that has ended; the delivery has its number.
    async fn ended(ledger: &Ledger, number: u128, client: &ClientId) -> DeliveryId {
        let (id, delivery) = (RecheckId::new(Uuid::from_u128(number)), DeliveryId::new(Uuid::from_u128(number)));
        let new = NewRecheck {
            id,
            call: CallId::new(Uuid::from_u128(number)),
            client: client.clone(),
            discloses: true,
            sealed_by: "k1".to_owned(),
            body: vec![1],
            filed_at: at(0),
            expires_at: at(9),
            due_at: at(0),
        };
        ledger.file_recheck(&new, 99).await.unwrap();
        let claimed = ledger.claim_rechecks("k1", LEASE, 99, at(0)).await.unwrap();
        let claimed = claimed.iter().find(|one| one.id == id).unwrap();
        assert!(ledger.end_recheck(claimed, RecheckState::Expired, None, &delivery, at(1)).await.unwrap());
        delivery
    }

    #[tokio::test]
    async fn a_delivery_is_sent_one_at_a_time_dies_and_is_replayed() {
        on_each(async |ledger| {
            let (window, hall): (ClientId, ClientId) = ("gz-window".parse().unwrap(), "gz-hall".parse().unwrap());
            let url: Url = "https://window.example/told".parse().unwrap();
            let unknown = ledger.set_webhook(&window, &url, "op", "接收补核结果", at(0)).await;
            assert!(matches!(unknown, Err(LedgerError::ClientUnknown { .. })), "{unknown:?}");
            for client in [&window, &hall] {
                ledger.register_client(registration(client), at(0)).await.unwrap();
                ledger.set_webhook(client, &url, "op", "接收补核结果", at(0)).await.unwrap();
            }
            let (first, second) = (ended(&ledger, 1, &window).await, ended(&ledger, 2, &window).await);
            let other = ended(&ledger, 3, &hall).await;
            let claim = async |second| ledger.claim_deliveries("k1", LEASE, 9, at(second)).await.unwrap();
            let mut claimed = claim(1).await;
            claimed.sort_by_key(|(delivery, _)| delivery.id);
            let ids: Vec<_> = claimed.iter().map(|(delivery, _)| delivery.id).collect();
            assert_eq!(ids, [first, other], "one of each client");
            assert_eq!(claimed[0].1, url);
            assert_eq!(ledger.claim_deliveries("k2", LEASE, 9, at(1)).await.unwrap(), []);
            assert!(ledger.delivered(&claimed[1].0, at(2)).await.unwrap());
            assert!(ledger.not_delivered(&claimed[0].0, "it answered 503", Some(at(50)), at(2)).await.unwrap());
            assert_eq!(claim(3).await[0].0.id, second);
            let again = claim(50).await;
            assert_eq!((again[0].0.id, again[0].0.tries), (first, 2));
            assert!(!ledger.delivered(&claimed[0].0, at(51)).await.unwrap(), "whoever is late changes nothing");
            assert!(ledger.not_delivered(&again[0].0, "it answered 500", None, at(51)).await.unwrap());

            let dead = DeliveryFilter { state: Some(DeliveryState::Dead), ..DeliveryFilter::default() };
            let listed = ledger.deliveries(&dead, 9).await.unwrap();
            assert_eq!((listed.len(), listed[0].failure.as_deref()), (1, Some("it answered 500")));
            assert!(!ledger.replay_delivery(&second, "op", at(52)).await.unwrap(), "it is on its way");
            assert!(ledger.replay_delivery(&first, "op", at(52)).await.unwrap());
            assert!(ledger.replay_delivery(&other, "op", at(52)).await.unwrap());
            assert_eq!(claim(52).await.iter().map(|(one, _)| one.tries).collect::<Vec<_>>(), [1, 1]);

            assert!(ledger.remove_webhook(&window, "op", "系统下线", at(53)).await.unwrap());
            assert!(!ledger.remove_webhook(&window, "op", "系统下线", at(53)).await.unwrap());
            assert_eq!(ledger.deliveries(&dead, 9).await.unwrap().len(), 2, "what waited for it is dead");
            assert!(!ledger.replay_delivery(&first, "op", at(54)).await.unwrap(), "there is no address");
            assert_eq!(ledger.webhooks().await.unwrap().iter().map(|one| &one.client).collect::<Vec<_>>(), [&hall]);
            ledger.erase_rechecks(at(60)).await.unwrap();
            assert_eq!(
                ledger.deliveries(&DeliveryFilter::default(), 9).await.unwrap(),
                [],
                "they go with the re-check"
            );
            let acts: Vec<_> = ledger.acts(None, 20).await.unwrap().into_iter().map(|act| act.act).collect();
            assert_eq!(acts.iter().filter(|act| act.contains("webhook")).count(), 3, "{acts:?}");
            assert_eq!(acts.iter().filter(|act| act.contains("replay")).count(), 2, "{acts:?}");
        })
        .await;
    }
}
