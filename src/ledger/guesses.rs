//! Wrong guesses: how often a subject was named wrongly where only the right one opens something.

use chrono::{DateTime, Utc};

use super::{Ledger, LedgerError, acts, millis};
use crate::identifiers::ClientId;

/// What becomes of a guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guess {
    Right,
    Wrong,
    /// There were too many wrong ones before; whether this one is right is not said.
    Exceeded,
}

impl Ledger {
    /// Take a guess about something, such as `receipt:` and the id of a call; wrong ones are counted, up to `wrong_max`.
    ///
    /// One at a time, on every node of the ledger: of many that are sent at once no more are told right from wrong.
    pub async fn guess(
        &self,
        about: &str,
        right: bool,
        wrong_max: u32,
        by: &ClientId,
        now: DateTime<Utc>,
    ) -> Result<Guess, LedgerError> {
        let action = "name a wrong subject";
        let mut change = self.write(action).await?;
        let wrong: Option<(i64,)> = sqlx::query_as("SELECT wrong FROM guesses WHERE about = $1")
            .bind(about)
            .fetch_optional(&mut *change)
            .await
            .map_err(LedgerError::failed(action))?;
        if wrong.is_some_and(|(wrong,)| wrong >= i64::from(wrong_max)) {
            return Ok(Guess::Exceeded);
        }
        if right {
            return Ok(Guess::Right);
        }
        sqlx::query(
            "INSERT INTO guesses (about, wrong, last_at) VALUES ($1, 1, $2) \
             ON CONFLICT (about) DO UPDATE SET wrong = guesses.wrong + 1, last_at = excluded.last_at",
        )
        .bind(about)
        .bind(millis(now))
        .execute(&mut *change)
        .await
        .map_err(LedgerError::failed(action))?;
        acts::note(&mut change, by.as_str(), action, about, "", now).await?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(Guess::Wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fixture::on_each, *};

    #[tokio::test]
    async fn wrong_guesses_about_one_thing_are_bounded_whoever_makes_them() {
        on_each(async |ledger| {
            let now = DateTime::from_timestamp_millis(1_764_000_000_123).unwrap();
            let by = |number: u32| format!("gz-window-{number}").parse().unwrap();
            let guess = async |about, right, number| ledger.guess(about, right, 3, &by(number), now).await.unwrap();
            for number in 0..3 {
                assert_eq!(guess("receipt:a", true, number).await, Guess::Right);
                assert_eq!(guess("receipt:a", false, number).await, Guess::Wrong);
            }
            assert_eq!(guess("receipt:a", true, 7).await, Guess::Exceeded);
            assert_eq!(guess("receipt:a", false, 8).await, Guess::Exceeded);
            assert_eq!(guess("receipt:b", true, 0).await, Guess::Right);
            let acts = ledger.acts(None, 10).await.unwrap();
            let told: Vec<_> = acts.iter().map(|act| (act.account.as_str(), act.subject.as_str())).collect();
            assert_eq!(told, ["gz-window-2", "gz-window-1", "gz-window-0"].map(|by| (by, "receipt:a")));
        })
        .await;
    }

    #[tokio::test]
    async fn of_many_guesses_at_once_no_more_are_told_right_from_wrong() {
        on_each(async |ledger| {
            let by: ClientId = "gz-window".parse().unwrap();
            let guesses = (0..12).map(|_| ledger.guess("receipt:a", false, 3, &by, Utc::now()));
            let told = futures::future::join_all(guesses).await;
            let wrong = told.into_iter().filter(|guess| matches!(guess, Ok(Guess::Wrong))).count();
            assert_eq!(wrong, 3);
        })
        .await;
    }
}
