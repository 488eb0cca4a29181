//! Webhooks: at which address a client is told of what was finished later. An operator names it; each change is an act.

use chrono::{DateTime, Utc};
use url::Url;

use super::{Ledger, LedgerError, acts, millis, time};
use crate::identifiers::ClientId;

/// Why what waits for a client ends, where its address is taken away.
const NO_ADDRESS: &str = "the client's address was taken away";

/// Where a client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Webhook {
    pub client: ClientId,
    pub url: Url,
    /// Who named it: an account, or `on-site`.
    pub account: String,
    pub since: DateTime<Utc>,
}

type Row = (String, String, String, i64);

impl Ledger {
    /// Tell the client there from now on.
    pub async fn set_webhook(
        &self,
        client: &ClientId,
        url: &Url,
        account: &str,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<(), LedgerError> {
        let (action, reason) = ("set a webhook", acts::reason(reason)?);
        let mut change = self.write(action).await?;
        let known: Option<(String,)> = sqlx::query_as("SELECT id FROM clients WHERE id = $1")
            .bind(client.as_str())
            .fetch_optional(&mut *change)
            .await
            .map_err(LedgerError::failed(action))?;
        if known.is_none() {
            return Err(LedgerError::ClientUnknown { client: client.clone() });
        }
        sqlx::query(
            "INSERT INTO webhooks (client, url, account, since) VALUES ($1, $2, $3, $4) ON CONFLICT (client) \
             DO UPDATE SET url = excluded.url, account = excluded.account, since = excluded.since",
        )
        .bind(client.as_str())
        .bind(url.as_str())
        .bind(account)
        .bind(millis(now))
        .execute(&mut *change)
        .await
        .map_err(LedgerError::failed(action))?;
        acts::note(&mut change, account, action, &format!("{client} {url}"), reason, now).await?;
        change.commit().await.map_err(LedgerError::failed(action))
    }

    /// Tell the client nowhere; what waits for it is dead. `false`: it had no address.
    pub async fn remove_webhook(
        &self,
        client: &ClientId,
        account: &str,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, LedgerError> {
        let (action, reason) = ("remove a webhook", acts::reason(reason)?);
        let mut change = self.write(action).await?;
        let removed = sqlx::query("DELETE FROM webhooks WHERE client = $1")
            .bind(client.as_str())
            .execute(&mut *change)
            .await
            .map_err(LedgerError::failed(action))?;
        if removed.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query(
            "UPDATE deliveries SET state = 'dead', failure = $2, ended_at = $3 WHERE client = $1 AND state = 'waiting'",
        )
        .bind(client.as_str())
        .bind(NO_ADDRESS)
        .bind(millis(now))
        .execute(&mut *change)
        .await
        .map_err(LedgerError::failed(action))?;
        acts::note(&mut change, account, action, client.as_str(), reason, now).await?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(true)
    }

    /// Every address, by client.
    pub async fn webhooks(&self) -> Result<Vec<Webhook>, LedgerError> {
        let rows: Vec<Row> = sqlx::query_as("SELECT client, url, account, since FROM webhooks ORDER BY client")
            .fetch_all(&self.pool)
            .await
            .map_err(LedgerError::failed("list the webhooks"))?;
        let damaged = |error: &dyn std::fmt::Display| LedgerError::Damaged { reason: format!("a webhook: {error}") };
        rows.into_iter()
            .map(|(client, url, account, since)| {
                Ok(Webhook {
                    client: client.parse().map_err(|error| damaged(&error))?,
                    url: url.parse().map_err(|error: url::ParseError| damaged(&error))?,
                    account,
                    since: time(since)?,
                })
            })
            .collect()
    }
}
