//! Alerts: what the enumeration defence tells the stewards, and what they do about it.

use chrono::{DateTime, Utc};

use super::{Actor, Ledger, LedgerError, acts, millis, time};
use crate::{
    identifiers::{ClientId, DatasetId, DepartmentId, ItemCode, Role},
    problem::{Code, Problem},
};

/// What became of an alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AlertState {
    Open,
    /// Somebody looks into it; what is held against the client stays.
    Acknowledged,
    /// It was nothing; what was held against the client is lifted.
    Dismissed,
}

impl AlertState {
    pub const ALL: &'static [Self] = &[Self::Open, Self::Acknowledged, Self::Dismissed];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Dismissed => "dismissed",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|state| state.as_str() == word)
    }
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspicion {
    pub at: DateTime<Utc>,
    pub client: ClientId,
    pub department: DepartmentId,
    pub dataset: DatasetId,
    pub provider: DepartmentId,
    pub item: ItemCode,
    /// A word of the defence, such as `walk`.
    pub signal: String,
    /// `warn`, `slow` or `block`.
    pub level: String,
    pub until: DateTime<Utc>,
    /// JSON: counts, nothing else.
    pub evidence: String,
}

/// An alert as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    pub number: i64,
    pub opened_at: DateTime<Utc>,
    /// As it was seen last.
    pub seen: Suspicion,
    pub state: AlertState,
    /// Who acknowledged or dismissed it, when and why.
    pub account: Option<String>,
    pub acted_at: Option<DateTime<Utc>>,
    pub reason: Option<String>,
}

impl Alert {
    /// Is it this person's to look into? A steward's of the dataset's provider.
    pub fn must_be_decided_by(&self, actor: &Actor) -> Result<(), Problem> {
        actor.require(&[Role::Steward])?;
        if actor.department == self.seen.provider {
            return Ok(());
        }
        let detail = format!("the dataset `{}` is not of the department `{}`", self.seen.dataset, actor.department);
        Err(Problem::new(Code::RoleRequired, detail).remedy("Let a steward of its provider do this."))
    }
}

/// Which alerts.
#[derive(Clone, Debug, Default)]
pub struct AlertFilter {
    pub state: Option<AlertState>,
    /// Of datasets of this department.
    pub provider: Option<DepartmentId>,
    /// Before this number.
    pub before: Option<i64>,
    pub limit: u32,
}

const COLUMNS: &str = "number, opened_at, seen_at, client, department, dataset, provider, item, signal, level, \
                       held_until, evidence, state, account, acted_at, reason";

#[derive(sqlx::FromRow)]
struct Row {
    number: i64,
    opened_at: i64,
    seen_at: i64,
    client: String,
    department: String,
    dataset: String,
    provider: String,
    item: String,
    signal: String,
    level: String,
    held_until: i64,
    evidence: String,
    state: String,
    account: Option<String>,
    acted_at: Option<i64>,
    reason: Option<String>,
}

impl Row {
    fn read(self) -> Result<Alert, LedgerError> {
        let number = self.number;
        let damaged = |what: &str| LedgerError::Damaged { reason: format!("the {what} of alert {number}") };
        Ok(Alert {
            number,
            opened_at: time(self.opened_at)?,
            seen: Suspicion {
                at: time(self.seen_at)?,
                client: self.client.parse().map_err(|_| damaged("client"))?,
                department: self.department.parse().map_err(|_| damaged("department"))?,
                dataset: self.dataset.parse().map_err(|_| damaged("dataset"))?,
                provider: self.provider.parse().map_err(|_| damaged("provider"))?,
                item: self.item.parse().map_err(|_| damaged("item"))?,
                signal: self.signal,
                level: self.level,
                until: time(self.held_until)?,
                evidence: self.evidence,
            },
            state: AlertState::from_word(&self.state).ok_or_else(|| damaged("state"))?,
            account: self.account,
            acted_at: self.acted_at.map(time).transpose()?,
            reason: self.reason,
        })
    }
}

impl Ledger {
    /// Tell the stewards: in the alert that stands for this client, dataset and signal, or in a new one.
    pub async fn raise_alert(&self, seen: &Suspicion) -> Result<(), LedgerError> {
        let action = "raise an alert";
        let mut change = self.write(action).await?;
        sqlx::query(
            "INSERT INTO alerts (opened_at, seen_at, client, department, dataset, provider, item, signal, level, \
             held_until, evidence, state) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'open') \
             ON CONFLICT (client, dataset, signal) WHERE state <> 'dismissed' DO UPDATE SET \
             seen_at = excluded.seen_at, item = excluded.item, held_until = excluded.held_until, \
             evidence = excluded.evidence, \
             level = CASE WHEN alerts.level = 'block' THEN 'block' ELSE excluded.level END",
        )
        .bind(millis(seen.at))
        .bind(millis(seen.at))
        .bind(seen.client.as_str())
        .bind(seen.department.as_str())
        .bind(seen.dataset.as_str())
        .bind(seen.provider.as_str())
        .bind(seen.item.as_str())
        .bind(&seen.signal)
        .bind(&seen.level)
        .bind(millis(seen.until))
        .bind(&seen.evidence)
        .execute(&mut *change)
        .await
        .map_err(LedgerError::failed(action))?;
        change.commit().await.map_err(LedgerError::failed(action))
    }

    /// Alerts, the latest first.
    pub async fn alerts(&self, filter: &AlertFilter) -> Result<Vec<Alert>, LedgerError> {
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM alerts WHERE number < $1 AND ($2 = '' OR state = $3) AND ($4 = '' OR provider = $5) \
             ORDER BY number DESC LIMIT $6"
        )))
        .bind(filter.before.unwrap_or(i64::MAX))
        .bind(filter.state.map_or("", AlertState::as_str))
        .bind(filter.state.map_or("", AlertState::as_str))
        .bind(filter.provider.as_ref().map_or("", DepartmentId::as_str))
        .bind(filter.provider.as_ref().map_or("", DepartmentId::as_str))
        .bind(i64::from(filter.limit))
        .fetch_all(&self.pool)
        .await
        .map_err(LedgerError::failed("list the alerts"))?;
        rows.into_iter().map(Row::read).collect()
    }

    pub async fn alert(&self, number: i64) -> Result<Option<Alert>, LedgerError> {
        let row: Option<Row> =
            sqlx::query_as(sqlx::AssertSqlSafe(format!("SELECT {COLUMNS} FROM alerts WHERE number = $1")))
                .bind(number)
                .fetch_optional(&self.pool)
                .await
                .map_err(LedgerError::failed("read an alert"))?;
        row.map(Row::read).transpose()
    }

    /// Acknowledge or dismiss an alert. `false`: it is not in a state for this.
    pub async fn act_on_alert(
        &self,
        number: i64,
        to: AlertState,
        account: &str,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, LedgerError> {
        let (action, reason) = ("act on an alert", acts::reason(reason)?);
        let act = match to {
            AlertState::Open => return Ok(false),
            AlertState::Acknowledged => "acknowledge alert",
            AlertState::Dismissed => "dismiss alert",
        };
        let mut change = self.write(action).await?;
        let updated = sqlx::query(
            "UPDATE alerts SET state = $1, account = $2, acted_at = $3, reason = $4 \
             WHERE number = $5 AND state <> 'dismissed' AND state <> $6",
        )
        .bind(to.as_str())
        .bind(account)
        .bind(millis(now))
        .bind(reason)
        .bind(number)
        .bind(to.as_str())
        .execute(&mut *change)
        .await
        .map_err(LedgerError::failed(action))?;
        if updated.rows_affected() == 0 {
            return Ok(false);
        }
        acts::note(&mut change, account, act, &number.to_string(), reason, now).await?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(true)
    }

    /// What was dismissed since: client, dataset and when.
    pub async fn dismissed_since(
        &self,
        since: DateTime<Utc>,
    ) -> Result<Vec<(ClientId, DatasetId, DateTime<Utc>)>, LedgerError> {
        let rows: Vec<(String, String, i64)> = sqlx::query_as(
            "SELECT client, dataset, acted_at FROM alerts WHERE state = 'dismissed' AND acted_at >= $1 ORDER BY acted_at",
        )
        .bind(millis(since))
        .fetch_all(&self.pool)
        .await
        .map_err(LedgerError::failed("list the dismissed alerts"))?;
        let damaged = |what: String| LedgerError::Damaged { reason: format!("an alert about `{what}`") };
        rows.into_iter()
            .map(|(client, dataset, at)| {
                let client = client.parse().map_err(|_| damaged(client))?;
                Ok((client, dataset.parse().map_err(|_| damaged(dataset))?, time(at)?))
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{super::fixture::on_each, *};

    fn suspicion(signal: &str, level: &str, seconds: i64) -> Suspicion {
        let at = DateTime::from_timestamp(1_764_000_000 + seconds, 0).unwrap();
        Suspicion {
            at,
            client: "gz-window".parse().unwrap(),
            department: "gz-housing".parse().unwrap(),
            dataset: "natural-person".parse().unwrap(),
            provider: "gd-public-security".parse().unwrap(),
            item: "11440100MB9YYY997R3440101001000".parse().unwrap(),
            signal: signal.to_owned(),
            level: level.to_owned(),
            until: at,
            evidence: "{}".to_owned(),
        }
    }

    #[tokio::test]
    async fn an_episode_is_one_alert_until_it_is_dismissed() {
        on_each(async |ledger| {
            let all = AlertFilter { limit: 10, ..AlertFilter::default() };
            for (signal, level, seconds) in
                [("walk", "slow", 0), ("walk", "block", 5), ("walk", "slow", 9), ("misses", "slow", 9)]
            {
                ledger.raise_alert(&suspicion(signal, level, seconds)).await.unwrap();
            }
            let alerts = ledger.alerts(&all).await.unwrap();
            let shown: Vec<_> =
                alerts.iter().map(|alert| (alert.seen.signal.as_str(), alert.seen.level.as_str())).collect();
            assert_eq!(shown, [("misses", "slow"), ("walk", "block")]);
            assert_eq!((alerts[1].opened_at, alerts[1].seen.at), (suspicion("", "", 0).at, suspicion("", "", 9).at));

            let (walk, now) = (alerts[1].number, suspicion("", "", 20).at);
            let act = async |to| ledger.act_on_alert(walk, to, "li", "学校新生", now).await.unwrap();
            assert!(act(AlertState::Acknowledged).await && !act(AlertState::Acknowledged).await);
            assert!(act(AlertState::Dismissed).await && !act(AlertState::Acknowledged).await);
            let alert = ledger.alert(walk).await.unwrap().unwrap();
            assert_eq!((alert.state, alert.account.as_deref()), (AlertState::Dismissed, Some("li")));
            assert_eq!(ledger.dismissed_since(now).await.unwrap().len(), 1);
            ledger.raise_alert(&suspicion("walk", "slow", 30)).await.unwrap();
            assert_eq!(ledger.alerts(&all).await.unwrap().len(), 3, "a new episode");
            let ours = AlertFilter { provider: Some("gz-housing".parse().unwrap()), ..all.clone() };
            assert!(ledger.alerts(&ours).await.unwrap().is_empty());
            let open = AlertFilter { state: Some(AlertState::Open), ..all };
            assert_eq!(ledger.alerts(&open).await.unwrap().len(), 2);
        })
        .await;
    }
}
