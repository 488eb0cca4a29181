//! What finishes calls later: takes what is due, puts it on the road, keeps what came of it, and tells the client.
//!
//! A kill at any moment loses nothing: what was taken is due again when its lease is over. A call that was answered and not
//! yet kept is then made a second time; both are in the log, and its client is told of the later one.

use aws_lc_rs::rand;
use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use metrics::{counter, gauge};
use uuid::Uuid;

use super::{
    Node,
    api::{DisclosureBody, VerificationBody, recheck_view, signed_bytes},
    body,
    problem::ProblemBody,
};
use crate::{
    config::PathSettings,
    exchange::{Answer, Credential, OutcomeWord, Question, Refusal},
    identifiers::{CallId, DeliveryId},
    ledger::{Delivery, LedgerError, Recheck, RecheckState, Said, Target},
    policy::Operation,
    problem::{Code, Problem},
    rechecks::{Courier, Message, Part, RechecksError, Sealer, passes_by_itself, pause},
};

/// Calls that are made at once: what waits must not take the node away from those who wait at a window.
const TRIES_AT_ONCE: u32 = 8;
/// There is a record, and a person has to look at it: asking again for days would only keep that from whoever waits.
const CHECK_BY_HAND: &str = "check_by_hand";
/// Clients that are told at once.
const SENDS_AT_ONCE: u32 = 16;
/// After that a delivery under way counts as lost. It is given up after half of it.
const SEND_LEASE: TimeDelta = TimeDelta::seconds(10);
/// What should have expired that long ago is sealed under a key that no node has.
const ABANDONED_AFTER: TimeDelta = TimeDelta::hours(2);

/// What re-checks are sealed with, and how clients are told.
#[derive(Debug)]
pub(super) struct RecheckDesk {
    pub(super) sealer: Sealer,
    courier: Courier,
}

impl RecheckDesk {
    pub(super) fn open(paths: &PathSettings) -> Result<Self, RechecksError> {
        Ok(Self { sealer: Sealer::open(&paths.recheck_secret())?, courier: Courier::new()? })
    }
}

/// What a try came to.
enum Tried {
    Ended(RecheckState, Option<Said>),
    NotYet(Option<Said>),
}

impl Node {
    /// Make every call again that is due.
    pub(super) async fn finish_rechecks(&self) {
        while self.readiness().is_ok() {
            match self.try_some().await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "calls could not be finished; tried again"
                    );
                    return;
                }
            }
        }
    }

    async fn try_some(&self) -> Result<usize, LedgerError> {
        let key = self.rechecks.sealer.name();
        // A try that has not ended by then is given up, or was lost with its node.
        let lease = TimeDelta::from_std(self.settings.http.request_max * 2).unwrap_or(TimeDelta::minutes(1));
        let claimed = self.ledger.claim_rechecks(key, lease, TRIES_AT_ONCE, self.now()).await?;
        let tries = claimed.iter().map(|recheck| Box::pin(self.try_one(recheck)));
        join_all(tries).await.into_iter().collect::<Result<Vec<()>, _>>()?;
        Ok(claimed.len())
    }

    async fn try_one(&self, recheck: &Recheck) -> Result<(), LedgerError> {
        let tried = self.tried(recheck).await;
        let now = self.now();
        let (state, said) = match tried {
            Tried::Ended(state, said) => (state, said),
            Tried::NotYet(said) if now >= recheck.expires_at => (RecheckState::Expired, said),
            Tried::NotYet(said) => {
                let again = after(now, pause(self.settings.rechecks.retry, recheck.tries + 1, dice()));
                counter!("shuqiao_rechecks_total", "end" => "put_off").increment(1);
                // The last try is made when its time is over.
                self.ledger.put_off_recheck(recheck, said.as_ref(), again.min(recheck.expires_at)).await?;
                return Ok(());
            }
        };
        let delivery = DeliveryId::new(Uuid::now_v7());
        if self.ledger.end_recheck(recheck, state, said.as_ref(), &delivery, now).await? {
            counter!("shuqiao_rechecks_total", "end" => state.as_str()).increment(1);
            tracing::debug!(recheck = %recheck.id, state = state.as_str(), tries = recheck.tries, "a call was finished");
        }
        Ok(())
    }

    async fn tried(&self, recheck: &Recheck) -> Tried {
        let body = recheck.body.as_deref().unwrap_or_default();
        let body = match self.rechecks.sealer.unseal(&recheck.id, Part::Body, body) {
            Ok(body) => body,
            Err(error) => {
                tracing::error!(recheck = %recheck.id, error = &error as &dyn std::error::Error, "a call was lost");
                let problem = Problem::new(error.code(), "what was kept of the call cannot be read");
                let body = ProblemBody::of(problem.remedy("Make the call again."), None);
                return Tried::Ended(RecheckState::Refused, self.said(recheck, recheck.call, json(&body)));
            }
        };
        let calling = Box::pin(self.call_again(recheck, &body));
        let Ok(called) = tokio::time::timeout(self.settings.http.request_max, calling).await else {
            return Tried::NotYet(None);
        };
        match called {
            Ok(answer) => self.answered(recheck, answer),
            Err(Refusal { problem, .. }) if passes_by_itself(problem.code) => Tried::NotYet(None),
            Err(Refusal { call_id, problem }) => {
                let said = self.said(recheck, call_id, json(&ProblemBody::of(problem, Some(call_id))));
                Tried::Ended(RecheckState::Refused, said)
            }
        }
    }

    fn answered(&self, recheck: &Recheck, answer: Answer) -> Tried {
        let by_hand = answer.body.disposition.as_deref() == Some(CHECK_BY_HAND);
        let settled = by_hand || answer.body.outcome != OutcomeWord::Indeterminate;
        let call = answer.body.call_id.parse().ok();
        match call.and_then(|call| self.said(recheck, call, signed_bytes(answer))) {
            Some(said) if settled => Tried::Ended(RecheckState::Settled, Some(said)),
            said => Tried::NotYet(said), // What cannot be kept has not been said.
        }
    }

    /// Put the call on the road, in the name of the client that filed it.
    async fn call_again(&self, recheck: &Recheck, bytes: &[u8]) -> Result<Answer, Refusal> {
        let (operation, question) = question(recheck.discloses, bytes);
        let credential = Credential::Filed { client: &recheck.client, finishes: recheck.call };
        self.answer(operation, credential, bytes, question).await
    }

    fn said(&self, recheck: &Recheck, call: CallId, open: Vec<u8>) -> Option<Said> {
        match self.rechecks.sealer.seal(&recheck.id, Part::Said, &open) {
            Ok(sealed) => Some(Said { call, sealed }),
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "what a call came to could not be sealed");
                None
            }
        }
    }

    /// Tell every client that is to be told.
    pub(super) async fn deliver(&self) {
        while self.readiness().is_ok() {
            match self.deliver_some().await {
                Ok(0) => return,
                Ok(_) => {}
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "clients could not be told; tried again");
                    return;
                }
            }
        }
    }

    async fn deliver_some(&self) -> Result<usize, LedgerError> {
        let key = self.rechecks.sealer.name();
        let claimed = self.ledger.claim_deliveries(key, SEND_LEASE, SENDS_AT_ONCE, self.now()).await?;
        let sent = claimed.iter().map(|(delivery, url)| Box::pin(self.deliver_one(delivery, url)));
        join_all(sent).await.into_iter().collect::<Result<Vec<()>, _>>()?;
        Ok(claimed.len())
    }

    async fn deliver_one(&self, delivery: &Delivery, url: &url::Url) -> Result<(), LedgerError> {
        // It goes with its re-check, so there is one.
        let Some(recheck) = self.ledger.recheck(&delivery.recheck).await? else { return Ok(()) };
        let failure = match self.may_be_told(delivery) {
            Err(problem) => problem.detail,
            Ok(()) => {
                let body = json(&recheck_view(self, &recheck));
                let message = Message { target: url, delivery: delivery.id, body: &body, created: self.now() };
                match self.rechecks.courier.send(&message, &self.receipt_keys.signing()).await {
                    Ok(()) => {
                        counter!("shuqiao_deliveries_total", "result" => "delivered").increment(1);
                        self.ledger.delivered(delivery, self.now()).await?;
                        return Ok(());
                    }
                    Err(failure) => failure,
                }
            }
        };
        let (now, settings) = (self.now(), &self.settings.rechecks);
        let again =
            (delivery.tries < settings.sends_max).then(|| after(now, pause(settings.resend, delivery.tries, dice())));
        let result = if again.is_some() { "failed" } else { "dead" };
        counter!("shuqiao_deliveries_total", "result" => result).increment(1);
        if again.is_none() {
            tracing::warn!(delivery = %delivery.id, client = %delivery.client, failure, "a delivery is dead");
        }
        self.ledger.not_delivered(delivery, &failure, again, now).await?;
        Ok(())
    }

    /// A client that is stopped is told nothing.
    fn may_be_told(&self, delivery: &Delivery) -> Result<(), Problem> {
        let (client, now) = (&delivery.client, self.now());
        let stands = self.verifier.stands(client, String::new(), (now, now));
        stands.map_err(|error| Problem::new(error.code(), error.to_string()))?;
        let suspensions = self.exchange.rights().suspensions;
        let stopped = [Target::Everything, Target::Client(client.clone())];
        match stopped.into_iter().find(|target| suspensions.get(target).is_some()) {
            Some(target) => Err(Problem::new(Code::CallerSuspended, format!("`{target}` is suspended"))),
            None => Ok(()),
        }
    }

    /// Erase what was kept long enough, and end what nobody can open any more.
    pub(super) async fn tidy_rechecks(&self) {
        if let Err(error) = self.tidied().await {
            tracing::error!(error = &error as &dyn std::error::Error, "old re-checks could not be erased; tried again");
        }
    }

    async fn tidied(&self) -> Result<(), LedgerError> {
        let now = self.now();
        for recheck in self.ledger.abandoned_rechecks(now - ABANDONED_AFTER).await? {
            let delivery = DeliveryId::new(Uuid::now_v7());
            self.ledger.end_recheck(&recheck, RecheckState::Expired, None, &delivery, now).await?;
            tracing::warn!(recheck = %recheck.id, key = recheck.sealed_by, "a call expired that no node could open");
        }
        let kept = TimeDelta::from_std(self.settings.rechecks.kept).unwrap_or(TimeDelta::days(7));
        self.ledger.erase_rechecks(now - kept).await?;
        gauge!("shuqiao_rechecks_waiting").set(self.ledger.rechecks_waiting().await? as f64);
        Ok(())
    }
}

/// The question of a call of which only the body is left.
pub(super) fn question(discloses: bool, bytes: &[u8]) -> (Operation, Result<Question, Problem>) {
    match discloses {
        true => (Operation::Disclose, body::parsed::<DisclosureBody>(bytes).map(Question::from)),
        false => (Operation::Verify, body::parsed::<VerificationBody>(bytes).map(Question::from)),
    }
}

fn json(value: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

fn after(now: DateTime<Utc>, pause: std::time::Duration) -> DateTime<Utc> {
    now + TimeDelta::from_std(pause).unwrap_or(TimeDelta::hours(1))
}

/// Chance for a pause. Without randomness pauses are whole, which harms nobody.
fn dice() -> u8 {
    let mut dice = [0];
    let _ = rand::fill(&mut dice);
    dice[0]
}
