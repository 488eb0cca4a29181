//! Members of the federation, at the node that issues its directory. What a card says is for `federation` to read.

use chrono::{DateTime, Utc};
use sqlx::{Any, any::AnyArguments, query::Query};

use super::{Ledger, LedgerError, acts, bump, harvest, millis, time};
use crate::identifiers::NodeId;

/// A node that was admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub node: NodeId,
    /// JSON, as the node gave it.
    pub card: String,
    pub since: DateTime<Utc>,
    pub revoked: bool,
}

type Row = (String, String, i64, i64, i64);

impl Ledger {
    /// Every node that was ever admitted, and the serial of the directory that the last change made: 0 before the first.
    pub async fn members(&self) -> Result<(u64, Vec<Member>), LedgerError> {
        let rows: Vec<Row> = sqlx::query_as("SELECT node, card, serial, since, revoked FROM members ORDER BY node")
            .fetch_all(&self.pool)
            .await
            .map_err(LedgerError::failed("list the members of the federation"))?;
        let serial = rows.iter().map(|row| row.2.unsigned_abs()).max().unwrap_or(0);
        let member = |(node, card, _, since, revoked): Row| {
            let node = node
                .parse()
                .map_err(|error| LedgerError::Damaged { reason: format!("the member `{node}`: {error}") })?;
            Ok(Member { node, card, since: time(since)?, revoked: revoked != 0 })
        };
        Ok((serial, rows.into_iter().map(member).collect::<Result<_, LedgerError>>()?))
    }

    /// Admit a node, or take its new card. `false`: it was listed with this very card.
    pub async fn admit_member(
        &self,
        node: &NodeId,
        card: &str,
        account: &str,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, LedgerError> {
        const ADMIT: &str = "INSERT INTO members (node, since, card, serial, revoked)
            VALUES ($1, $2, $3, (SELECT COALESCE(MAX(serial), 0) + 1 FROM members), 0)
            ON CONFLICT (node) DO UPDATE SET card = excluded.card, serial = excluded.serial, since = excluded.since, revoked = 0
            WHERE members.card <> excluded.card OR members.revoked = 1";
        let admitted = sqlx::query(ADMIT).bind(node.as_str()).bind(millis(now)).bind(card);
        self.change_member("admit member", admitted, node, (account, reason), now).await
    }

    /// Take the new card of a node that is listed, and of no other. `false`: it is not, or was listed with this very card.
    pub async fn renew_member(&self, node: &NodeId, card: &str, now: DateTime<Utc>) -> Result<bool, LedgerError> {
        const RENEW: &str = "UPDATE members SET since = $2, card = $3,
            serial = (SELECT COALESCE(MAX(serial), 0) + 1 FROM members) WHERE node = $1 AND revoked = 0 AND card <> $3";
        let renewed = sqlx::query(RENEW).bind(node.as_str()).bind(millis(now)).bind(card);
        let by = format!("node:{node}");
        self.change_member("renew member", renewed, node, (&by, "by the node itself"), now).await
    }

    /// List a node no longer; what was heard of its catalogue goes with it. `false`: it was not listed.
    pub async fn revoke_member(
        &self,
        node: &NodeId,
        account: &str,
        reason: &str,
        now: DateTime<Utc>,
    ) -> Result<bool, LedgerError> {
        const REVOKE: &str = "UPDATE members SET revoked = 1, since = $2,
            serial = (SELECT COALESCE(MAX(serial), 0) + 1 FROM members) WHERE node = $1 AND revoked = 0";
        let revoked = sqlx::query(REVOKE).bind(node.as_str()).bind(millis(now));
        self.change_member("revoke member", revoked, node, (account, reason), now).await
    }

    /// Make a change of one member's row, and note who made it. `false`: there was nothing to change.
    async fn change_member(
        &self,
        action: &'static str,
        query: Query<'_, Any, AnyArguments>,
        node: &NodeId,
        (account, reason): (&str, &str),
        now: DateTime<Utc>,
    ) -> Result<bool, LedgerError> {
        let reason = acts::reason(reason)?;
        let mut change = self.write(action).await?;
        let changed = query.execute(&mut *change).await.map_err(LedgerError::failed(action))?;
        if changed.rows_affected() == 0 {
            return Ok(false);
        }
        harvest::forget_revoked(&mut change, node, now).await?;
        acts::note(&mut change, account, action, node.as_str(), reason, now).await?;
        bump(&mut change).await?;
        change.commit().await.map_err(LedgerError::failed(action))?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{ON_SITE, fixture::on_each},
        *,
    };

    #[tokio::test]
    async fn each_change_of_the_members_makes_a_new_serial_and_a_repeated_one_makes_none() {
        on_each(async |ledger| {
            let (node, now): (NodeId, _) = ("shenzhen".parse().unwrap(), Utc::now());
            let admit = async |card: &str| ledger.admit_member(&node, card, ON_SITE, "joins", now).await.unwrap();
            assert_eq!(ledger.members().await.unwrap(), (0, Vec::new()));
            assert!(admit("{}").await && !admit("{}").await && admit("{\"new\":1}").await);
            let renew = async |card: &str| ledger.renew_member(&node, card, now).await.unwrap();
            assert!(!renew("{\"new\":1}").await && renew("{\"new\":2}").await);
            let revoke = async || ledger.revoke_member(&node, ON_SITE, "left", now).await.unwrap();
            assert!(revoke().await && !revoke().await);
            let (serial, members) = ledger.members().await.unwrap();
            assert_eq!((serial, members[0].revoked), (4, true));
            // Who was revoked does not list itself again.
            assert!(!renew("{\"new\":3}").await);
            assert_eq!(ledger.members().await.unwrap(), (serial, members));
            assert!(admit("{\"new\":2}").await);
            assert_eq!(ledger.members().await.unwrap().0, 5);
            let acts = ledger.acts(None, 10).await.unwrap();
            assert_eq!(acts.len(), 5);
        })
        .await;
    }
}
