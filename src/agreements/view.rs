//! Applications and agreements as they are shown: the same members in the API and in `--json`.

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::clock;
use crate::{
    calendar::{Calendar, is_overdue},
    identifiers::{ApplicationId, DepartmentId},
    ledger::{Agreement, AgreementEvent, Application, Clock, Event, Standing, Terms},
};

/// What is asked for, or granted.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct TermsView {
    pub items: Vec<String>,
    pub compare: Vec<String>,
    pub disclose: Vec<String>,
    pub calls_per_second: u32,
    pub calls_per_day: u64,
    pub valid_from: String,
    pub valid_until: String,
}

/// An application.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ApplicationView {
    #[schema(example = "app-17")]
    pub id: String,
    /// `submitted`, `asked_back`, `granted`, `granted_in_part`, `rejected` or `withdrawn`.
    pub state: String,
    pub consumer: String,
    pub dataset: String,
    pub provider: String,
    /// The account that applied.
    pub applicant: String,
    pub asked: TermsView,
    /// What the agreement of the same name grants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub granted: Option<TermsView>,
    pub legal_basis: String,
    pub scenario: String,
    pub mode: String,
    /// The agreement that it continues.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renews: Option<String>,
    pub submitted_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<String>,
    /// Since when what was granted can be used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_at: Option<String>,
    /// Last day for what is to be done next: the provider's answer, or the sharing itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due: Option<String>,
    /// The holidays of a year on the way are not published, so `due` may still move.
    pub provisional: bool,
    pub overdue: bool,
    /// Working days that the provider has left after the consumer's answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_with: Option<u32>,
    /// How loudly it has been called overdue; 0 not at all.
    pub escalated: u32,
}

/// Something that happened to an application.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct EventView {
    pub at: String,
    /// The account, or `node`.
    pub account: String,
    /// `applied`, `prepared`, `asked`, `answered`, `extended`, `approved`, `approved_in_part`, `granted_by_law`,
    /// `rejected`, `withdrawn`, `escalated` or `shared`.
    pub step: String,
    /// The state after it.
    pub state: String,
    /// Why, in the words of whoever did it.
    pub reason: String,
    /// What a steward says to decide: `approve` or `reject`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub terms: Option<TermsView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ground: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub law: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub consent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub working_days: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<u32>,
}

/// An application with everything that happened to it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct DossierView {
    #[serde(flatten)]
    pub application: ApplicationView,
    pub timeline: Vec<EventView>,
}

/// An agreement.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AgreementView {
    #[schema(example = "app-17")]
    pub id: String,
    /// `in_force`, `to_come`, `expired`, `renewed` (expired, and continued by another), `suspended` or `revoked`.
    pub standing: String,
    pub consumer: String,
    pub dataset: String,
    /// Empty where the dataset is no longer in the catalogue.
    pub provider: String,
    /// `application`, or `file` for one that was declared.
    pub origin: String,
    /// The agreement that continues it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewed_by: Option<String>,
    #[serde(flatten)]
    pub terms: TermsView,
}

/// Something that was done to an agreement.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct GrantedEventView {
    pub at: String,
    pub account: String,
    /// `suspended`, `resumed` or `revoked`.
    pub step: String,
    pub reason: String,
}

impl ApplicationView {
    pub fn new(application: &Application, calendar: &Calendar, now: DateTime<Utc>) -> Self {
        let due = clock::due(application.clock, calendar);
        Self {
            id: application.id.to_string(),
            state: application.state.to_string(),
            consumer: application.consumer.to_string(),
            dataset: application.dataset.to_string(),
            provider: application.provider.to_string(),
            applicant: application.applicant.to_string(),
            asked: TermsView::from(&application.asked),
            granted: application.granted.as_ref().map(TermsView::from),
            legal_basis: application.legal_basis.clone(),
            scenario: application.scenario.clone(),
            mode: application.mode.word().to_owned(),
            renews: application.renews.as_ref().map(ToString::to_string),
            submitted_at: rfc3339(application.submitted_at),
            decided_at: application.decided_at.map(rfc3339),
            shared_at: application.shared_at.map(rfc3339),
            due: due.map(|due| due.day.to_string()),
            provisional: due.is_some_and(|due| due.provisional),
            overdue: due.is_some_and(|due| is_overdue(due, now)),
            paused_with: match application.clock {
                Clock::Paused { working_days } => Some(working_days),
                Clock::Running { .. } | Clock::Stopped => None,
            },
            escalated: application.escalated,
        }
    }
}

impl DossierView {
    pub fn new(application: &Application, events: &[Event], calendar: &Calendar, now: DateTime<Utc>) -> Self {
        let application = ApplicationView::new(application, calendar, now);
        Self { application, timeline: events.iter().map(EventView::from).collect() }
    }
}

impl AgreementView {
    pub(super) fn new(
        agreement: &Agreement,
        provider: Option<&DepartmentId>,
        renewed_by: Option<ApplicationId>,
        today: NaiveDate,
    ) -> Self {
        let declared = ApplicationId::of_agreement(&agreement.id).is_none();
        Self {
            id: agreement.id.to_string(),
            standing: standing(agreement, renewed_by.is_some(), today).to_owned(),
            consumer: agreement.consumer.to_string(),
            dataset: agreement.dataset.to_string(),
            provider: provider.map(ToString::to_string).unwrap_or_default(),
            origin: if declared { "file" } else { "application" }.to_owned(),
            renewed_by: renewed_by.map(|id| id.to_string()),
            terms: TermsView {
                items: texts(&agreement.items),
                compare: texts(&agreement.compare),
                disclose: texts(&agreement.disclose),
                calls_per_second: agreement.budget.calls_per_second.get(),
                calls_per_day: agreement.budget.calls_per_day,
                valid_from: agreement.valid_from.to_string(),
                valid_until: agreement.valid_until.to_string(),
            },
        }
    }
}

fn standing(agreement: &Agreement, renewed: bool, today: NaiveDate) -> &'static str {
    match agreement.standing {
        Standing::Revoked => "revoked",
        Standing::Suspended => "suspended",
        Standing::InForce if today < agreement.valid_from => "to_come",
        Standing::InForce if today <= agreement.valid_until => "in_force",
        Standing::InForce if renewed => "renewed",
        Standing::InForce => "expired",
    }
}

impl From<&Terms> for TermsView {
    fn from(terms: &Terms) -> Self {
        Self {
            items: texts(&terms.items),
            compare: texts(&terms.compare),
            disclose: texts(&terms.disclose),
            calls_per_second: terms.calls_per_second.get(),
            calls_per_day: terms.calls_per_day.get(),
            valid_from: terms.valid_from.to_string(),
            valid_until: terms.valid_until.to_string(),
        }
    }
}

impl From<&Event> for EventView {
    fn from(event: &Event) -> Self {
        let detail = &event.detail;
        Self {
            at: rfc3339(event.at),
            account: event.account.as_ref().map_or_else(|| "node".to_owned(), ToString::to_string),
            step: event.step.to_string(),
            state: event.state.to_string(),
            reason: event.reason.clone(),
            verdict: detail.verdict.clone(),
            terms: detail.terms.as_ref().map(TermsView::from),
            ground: detail.ground.map(|ground| ground.to_string()),
            law: detail.law.clone(),
            consent: detail.consent.clone(),
            working_days: detail.working_days,
            level: detail.level,
        }
    }
}

impl From<&AgreementEvent> for GrantedEventView {
    fn from(event: &AgreementEvent) -> Self {
        Self {
            at: rfc3339(event.at),
            account: event.account.to_string(),
            step: event.step.as_str().to_owned(),
            reason: event.reason.clone(),
        }
    }
}

fn texts<'a, T: ToString + 'a>(names: impl IntoIterator<Item = &'a T>) -> Vec<String> {
    names.into_iter().map(ToString::to_string).collect()
}

fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}
