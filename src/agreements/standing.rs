//! What becomes of an agreement: suspended, resumed, revoked by its provider, renewed by its consumer.
//!
//! A renewal is an application like any other, for the time after the agreement: whoever reviews it sees whether the
//! data is still needed.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    desk::{Desk, DeskError, sees_everything},
    terms::{Wish, text},
    view::AgreementView,
};
use crate::{
    calendar::day_in_china,
    catalog::SharingMode,
    identifiers::{AgreementId, ApplicationId, DepartmentId, Role},
    ledger::{Actor, Agreement, AgreementEvent, AgreementStep, Application, Standing},
    problem::{Code, Problem},
};

/// How an agreement is to go on.
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Renewal {
    /// The new last day.
    #[schema(example = "2029-12-31")]
    pub valid_until: String,
    /// The law or duty that the use rests on; left out: that of the application before, if there was one.
    pub legal_basis: Option<String>,
    /// What the data is used for; left out: that of the application before, if there was one.
    pub scenario: Option<String>,
}

impl Desk<'_> {
    /// Suspend, resume or revoke an agreement, for its provider.
    pub async fn stand(
        &self,
        id: &AgreementId,
        step: AgreementStep,
        reason: &str,
        actor: &Actor,
        now: DateTime<Utc>,
    ) -> Result<AgreementView, DeskError> {
        let view = self.agreement(id, actor, now).await?;
        match step {
            // Stopping is urgent; a steward may do it alone.
            AgreementStep::Suspended => actor.require(&[Role::Steward, Role::Approver])?,
            AgreementStep::Resumed | AgreementStep::Revoked => actor.require(&[Role::Approver])?,
        }
        if view.provider != actor.department.as_str() {
            let detail = format!("the agreement `{id}` is one of the provider `{}`", view.provider);
            return Err(Problem::new(Code::RoleRequired, detail)
                .remedy("Let an account of that department do this.")
                .into());
        }
        let reason = text("/reason", reason)?;
        let change = |standing| {
            let done = AgreementEvent { at: now, account: actor.account.clone(), step, reason };
            may_follow(id, standing, step).map(|()| done).map_err(DeskError::from)
        };
        self.ledger.change_agreement(id, change).await?;
        self.agreement(id, actor, now).await
    }

    /// Apply for the time after an agreement, on its terms.
    pub async fn renew(
        &self,
        id: &AgreementId,
        renewal: &Renewal,
        actor: &Actor,
        now: DateTime<Utc>,
    ) -> Result<Application, DeskError> {
        actor.require(&[Role::Consumer])?;
        let agreement = self.find(id, actor).await?;
        if agreement.consumer != actor.department {
            let detail = format!("the agreement `{id}` is one of the consumer `{}`", agreement.consumer);
            return Err(Problem::new(Code::RoleRequired, detail)
                .remedy("Let an account of that department do this.")
                .into());
        }
        if agreement.standing == Standing::Revoked {
            let detail = format!("the agreement `{id}` is revoked");
            return Err(Problem::new(Code::Conflict, detail).remedy("Apply for the data anew.").into());
        }
        let before = match ApplicationId::of_agreement(id) {
            Some(application) => self.ledger.application(application).await?,
            None => None,
        };
        let wish = again(&agreement, before.as_ref(), renewal, now)?;
        let asked = wish.parse(&agreement.consumer, self.catalog, day_in_china(now))?;
        self.open(asked, Some(id.clone()), actor, now).await
    }

    /// One agreement that the actor may see.
    pub async fn agreement(
        &self,
        id: &AgreementId,
        actor: &Actor,
        now: DateTime<Utc>,
    ) -> Result<AgreementView, DeskError> {
        let all = self.agreements(actor, now).await?;
        all.into_iter().find(|view| view.id == id.as_str()).ok_or_else(|| no_such(id).into())
    }

    /// The agreements that the actor may see: declared ones in the order of the file, then granted ones.
    pub async fn agreements(&self, actor: &Actor, now: DateTime<Utc>) -> Result<Vec<AgreementView>, DeskError> {
        actor.require(Role::ALL)?;
        let agreed = self.ledger.agreed().await?;
        let joined = self.joined(&agreed)?;
        let today = day_in_china(now);
        let seen = joined.iter().filter(|agreement| self.may_see(actor, agreement));
        let renewals = &agreed.renewals;
        let shown = |agreement: &std::sync::Arc<Agreement>| {
            let renewed_by = renewals.iter().find(|(old, _)| *old == agreement.id).map(|(_, new)| *new);
            AgreementView::new(agreement, self.provider(agreement), renewed_by, today)
        };
        Ok(seen.map(shown).collect())
    }

    async fn find(&self, id: &AgreementId, actor: &Actor) -> Result<Agreement, DeskError> {
        let joined = self.joined(&self.ledger.agreed().await?)?;
        let found = joined.iter().find(|agreement| agreement.id == *id && self.may_see(actor, agreement));
        found.map(|agreement| Agreement::clone(agreement)).ok_or_else(|| no_such(id).into())
    }

    fn provider(&self, agreement: &Agreement) -> Option<&DepartmentId> {
        self.catalog.datasets.get(&agreement.dataset).map(|dataset| &dataset.provider)
    }

    fn may_see(&self, actor: &Actor, agreement: &Agreement) -> bool {
        let party = agreement.consumer == actor.department || self.provider(agreement) == Some(&actor.department);
        sees_everything(actor) || party
    }
}

fn may_follow(id: &AgreementId, standing: Standing, step: AgreementStep) -> Result<(), Problem> {
    let is = match (standing, step) {
        (Standing::InForce, AgreementStep::Suspended | AgreementStep::Revoked)
        | (Standing::Suspended, AgreementStep::Resumed | AgreementStep::Revoked) => return Ok(()),
        (Standing::InForce, AgreementStep::Resumed) => "not suspended",
        (Standing::Suspended, AgreementStep::Suspended) => "suspended already",
        (Standing::Revoked, _) => "revoked, which is for good",
    };
    Err(Problem::new(Code::Conflict, format!("the agreement `{id}` is {is}")).remedy("See how it stands."))
}

/// The wish that an agreement comes from, for the days after it.
fn again(
    agreement: &Agreement,
    before: Option<&Application>,
    renewal: &Renewal,
    now: DateTime<Utc>,
) -> Result<Wish, Problem> {
    let words = |pointer: &str, given: &Option<String>, known: Option<&str>| {
        let found = given.as_deref().or(known).map(str::to_owned);
        found.ok_or_else(|| {
            Problem::new(Code::InvalidValue, "the agreement was declared in a file, which does not say this")
                .at(pointer)
                .remedy("Add it.")
        })
    };
    let next = agreement.valid_until.succ_opt().unwrap_or(agreement.valid_until);
    Ok(Wish {
        dataset: agreement.dataset.to_string(),
        items: agreement.items.iter().map(ToString::to_string).collect(),
        compare: agreement.compare.iter().map(ToString::to_string).collect(),
        disclose: agreement.disclose.iter().map(ToString::to_string).collect(),
        legal_basis: words("/legal_basis", &renewal.legal_basis, before.map(|before| before.legal_basis.as_str()))?,
        scenario: words("/scenario", &renewal.scenario, before.map(|before| before.scenario.as_str()))?,
        mode: SharingMode::ServiceInterface.word().to_owned(),
        calls_per_second: agreement.budget.calls_per_second.get(),
        calls_per_day: agreement.budget.calls_per_day,
        valid_from: next.max(day_in_china(now)).to_string(),
        valid_until: renewal.valid_until.clone(),
    })
}

fn no_such(id: &AgreementId) -> Problem {
    Problem::new(Code::NotFound, format!("there is no agreement `{id}` of the department or with it"))
        .remedy("List the agreements that there are.")
}
