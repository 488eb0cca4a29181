//! Replay guard: which client assertions have been used.
//!
//! An assertion buys one token. Its `jti` is remembered on the disk, so that a restart within its life does not make it
//! good again.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Ledger, LedgerError};
use crate::identifiers::ClientId;

/// Spent assertions are forgotten this long after they expire, not at once: a clock that is set back by less does not
/// make one good again.
const KEPT_AFTER_EXPIRY: TimeDelta = TimeDelta::hours(1);

impl Ledger {
    /// Use up an assertion. `false`: this client has used that `jti` before.
    pub async fn use_assertion(
        &self,
        client: &ClientId,
        jti: &str,
        expires_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<bool, LedgerError> {
        let action = "remember an assertion";
        let failed = || LedgerError::failed(action);
        let mut transaction = self.write(action).await?;
        sqlx::query("DELETE FROM used_assertions WHERE expires_at < $1")
            .bind((now - KEPT_AFTER_EXPIRY).timestamp())
            .execute(&mut *transaction)
            .await
            .map_err(failed())?;
        let inserted = sqlx::query(
            "INSERT INTO used_assertions (client, jti, expires_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        )
        .bind(client.as_str())
        .bind(jti)
        .bind(expires_at.timestamp())
        .execute(&mut *transaction)
        .await
        .map_err(failed())?;
        transaction.commit().await.map_err(failed())?;
        Ok(inserted.rows_affected() == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{clients::fixture, fixture::on_each},
        *,
    };

    fn at(second: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_764_000_000 + second, 0).unwrap()
    }

    #[tokio::test]
    async fn an_assertion_is_good_once_even_after_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("ledger.sqlite");
        let (one, two) = ("window-one".parse().unwrap(), "window-two".parse().unwrap());
        let ledger = Ledger::open(&path).await.unwrap();
        for client in [&one, &two] {
            ledger.register_client(fixture::registration(client), at(0)).await.unwrap();
        }
        assert!(ledger.use_assertion(&one, "a", at(60), at(0)).await.unwrap());
        assert!(!ledger.use_assertion(&one, "a", at(60), at(1)).await.unwrap());
        assert!(ledger.use_assertion(&two, "a", at(60), at(1)).await.unwrap(), "each client has its own numbers");
        ledger.close().await;
        let ledger = Ledger::open(&path).await.unwrap();
        assert!(!ledger.use_assertion(&one, "a", at(60), at(2)).await.unwrap());
        assert!(ledger.use_assertion(&one, "b", at(60), at(2)).await.unwrap());
    }

    #[tokio::test]
    async fn of_many_at_once_one_wins() {
        on_each(async |ledger| {
            let client = "window-one".parse().unwrap();
            ledger.register_client(fixture::registration(&client), at(0)).await.unwrap();
            let tries = (0..16).map(|_| ledger.use_assertion(&client, "same", at(60), at(0)));
            let won = futures::future::try_join_all(tries).await.unwrap();
            assert_eq!(won.into_iter().filter(|fresh| *fresh).count(), 1);
        })
        .await;
    }

    #[tokio::test]
    async fn spent_assertions_are_forgotten_an_hour_after_they_expire() {
        on_each(async |ledger| {
            let client = "window-one".parse().unwrap();
            ledger.register_client(fixture::registration(&client), at(0)).await.unwrap();
            assert!(ledger.use_assertion(&client, "old", at(60), at(0)).await.unwrap());
            assert!(!ledger.use_assertion(&client, "old", at(9_000), at(3_600)).await.unwrap());
            assert!(ledger.use_assertion(&client, "new", at(9_000), at(3_661)).await.unwrap());
            let row: (i64,) =
                sqlx::query_as("SELECT COUNT(*) FROM used_assertions").fetch_one(&ledger.pool).await.unwrap();
            assert_eq!(row.0, 1);
        })
        .await;
    }
}
