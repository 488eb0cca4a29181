//! What may follow on what: an application from its submission to its end.
//!
//! Pure: an application and what happened to it go in, with an act of somebody; what it is afterwards comes out, or why not.
//! Promises that nothing is granted that was not asked or that no item needs, and that nobody acts on both sides: whoever
//! acted for the consumer never for the provider, and what a steward prepared is decided by somebody else.
//!
//! ```text
//!             ┌── ask ──> asked back ──┐             (clock paused)
//!             │      <── answer ──     │
//!  apply ─> submitted ── approve ──> granted, granted in part ── shared
//!    │        └────────── reject ──> rejected        (from asked back, too)
//!    │        └───────── withdraw ─> withdrawn       (from asked back, too)
//!    └─ shared without conditions ─> granted
//! ```

use std::fmt::Display;

use chrono::{DateTime, Utc};

use super::{
    clock,
    review::{Review, Verdict},
    terms::{self, Asked, wrong},
};
use crate::{
    calendar::{Calendar, day_in_china},
    catalog::{Catalog, SharingAttribute},
    config::ClockSettings,
    identifiers::{AgreementId, ApplicationId, Role},
    ledger::{Actor, Application, ApplicationState as State, Clock, Dossier, Event, EventDetail, Filing, Step, Terms},
    problem::{Code, Problem},
};

/// What an act is judged by, besides the application.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) calendar: &'a Calendar,
    pub(super) clocks: &'a ClockSettings,
    pub(super) now: DateTime<Utc>,
}

/// A new application of that number. What is shared without conditions is granted at once.
pub(super) fn submitted(
    id: ApplicationId,
    asked: Asked,
    renews: Option<AgreementId>,
    actor: &Actor,
    scene: Scene<'_>,
) -> Filing {
    let Asked { dataset, terms, legal_basis, scenario, mode } = asked;
    let application = Application {
        id,
        consumer: actor.department.clone(),
        dataset: dataset.id.clone(),
        provider: dataset.provider.clone(),
        applicant: actor.account.clone(),
        asked: terms.clone(),
        legal_basis,
        scenario: scenario.clone(),
        mode,
        renews,
        state: State::Submitted,
        clock: Clock::Running { from: scene.now, working_days: scene.clocks.review_days },
        extended: false,
        escalated: 0,
        submitted_at: scene.now,
        decided_at: None,
        granted: None,
        shared_at: None,
    };
    let detail = EventDetail { terms: Some(terms.clone()), ..EventDetail::default() };
    let mut filing = Filing { application, events: Vec::new() };
    filing.add(Some(actor), Step::Applied, scenario, detail, scene.now);
    if dataset.sharing.attribute == SharingAttribute::Unconditional {
        let reason = format!("the dataset `{}` is shared without conditions", dataset.id);
        grant(&mut filing, terms, State::Granted, scene.clocks.unconditional_days, scene);
        filing.note_grant(None, Step::GrantedByLaw, reason, scene.now);
    }
    filing
}

/// The provider's turn.
pub(super) fn reviewed(dossier: Dossier, review: &Review, actor: &Actor, scene: Scene<'_>) -> Result<Filing, Problem> {
    let application = &dossier.application;
    actor.require(&[Role::Steward, Role::Approver])?;
    if actor.department != application.provider {
        let detail = format!("the application `{}` is for `{}` to answer", application.id, application.provider);
        return Err(Problem::new(Code::RoleRequired, detail).remedy("Let an account of that department do this."));
    }
    if actor.account == application.applicant || dossier.has_acted(actor, CONSUMER_STEPS) {
        return Err(both_sides(actor, "has acted for the consumer"));
    }
    let (verdict, reason) = review.parse()?;
    match verdict {
        Verdict::Approve(narrowing) => {
            in_state(application, &[State::Submitted], "approved")?;
            let terms = granted_terms(application, &narrowing.of(&application.asked)?, scene)?;
            approved(dossier, terms, reason, actor, scene)
        }
        Verdict::Reject { ground, law } => {
            in_state(application, &[State::Submitted, State::AskedBack], "rejected")?;
            let detail = EventDetail { ground: Some(ground), law: Some(law), ..EventDetail::default() };
            rejected(dossier, reason, detail, actor, scene)
        }
        Verdict::Ask => {
            in_state(application, &[State::Submitted], "asked about")?;
            let clock = clock::paused(application.clock, scene.now, scene.calendar);
            Ok(moved(dossier, State::AskedBack, clock, (actor, Step::Asked, reason, EventDetail::default()), scene))
        }
        Verdict::Extend { working_days, consent } => {
            in_state(application, &[State::Submitted], "given more time")?;
            actor.require(&[Role::Approver])?;
            extended(dossier, working_days, consent, reason, actor, scene)
        }
    }
}

/// The consumer answers what the provider asked.
pub(super) fn answered(dossier: Dossier, text: &str, actor: &Actor, scene: Scene<'_>) -> Result<Filing, Problem> {
    let application = &dossier.application;
    of_consumer(&dossier, actor)?;
    in_state(application, &[State::AskedBack], "answered")?;
    let text = terms::text("/text", text)?;
    let clock = clock::resumed(application.clock, scene.now);
    Ok(moved(dossier, State::Submitted, clock, (actor, Step::Answered, text, EventDetail::default()), scene))
}

/// The consumer takes it back.
pub(super) fn withdrawn(dossier: Dossier, text: &str, actor: &Actor, scene: Scene<'_>) -> Result<Filing, Problem> {
    of_consumer(&dossier, actor)?;
    in_state(&dossier.application, &[State::Submitted, State::AskedBack], "withdrawn")?;
    let text = terms::text("/reason", text)?;
    let mut filing =
        moved(dossier, State::Withdrawn, Clock::Stopped, (actor, Step::Withdrawn, text, EventDetail::default()), scene);
    filing.application.decided_at = Some(scene.now);
    Ok(filing)
}

/// The clock has run out, or has been out for longer than it was last said; else nothing.
pub(super) fn escalated(dossier: Dossier, scene: Scene<'_>) -> Option<Filing> {
    let application = dossier.application;
    let level = clock::level(application.clock, scene.now, scene.calendar, scene.clocks.escalation_days);
    if level <= application.escalated {
        return None;
    }
    let due = clock::due(application.clock, scene.calendar)?;
    let who = if application.state.is_decided() { "sharing what was granted" } else { "the provider's answer" };
    let reason = format!("{who} was due on {}", due.day);
    let mut filing = Filing { application: Application { escalated: level, ..application }, events: Vec::new() };
    let detail = EventDetail { level: Some(level), ..EventDetail::default() };
    filing.add(None, Step::Escalated, reason, detail, scene.now);
    Some(filing)
}

/// What was granted can be used; nothing, where that is known already or not so.
pub(super) fn shared(dossier: Dossier, scene: Scene<'_>) -> Option<Filing> {
    let application = dossier.application;
    if application.granted.is_none() || application.shared_at.is_some() {
        return None;
    }
    let application = Application { shared_at: Some(scene.now), clock: Clock::Stopped, ..application };
    let mut filing = Filing { application, events: Vec::new() };
    let reason = "the dataset is served here".to_owned();
    filing.add(None, Step::Shared, reason, EventDetail::default(), scene.now);
    Some(filing)
}

/// Steps of the consumer's side; the applicant is of that side too.
const CONSUMER_STEPS: &[Step] = &[Step::Applied, Step::Answered, Step::Withdrawn];
const PROVIDER_STEPS: &[Step] =
    &[Step::Prepared, Step::Asked, Step::Extended, Step::Approved, Step::ApprovedInPart, Step::Rejected];

fn of_consumer(dossier: &Dossier, actor: &Actor) -> Result<(), Problem> {
    let application = &dossier.application;
    actor.require(&[Role::Consumer])?;
    if actor.department != application.consumer {
        let detail = format!("the application `{}` is one of `{}`", application.id, application.consumer);
        return Err(Problem::new(Code::RoleRequired, detail).remedy("Let an account of that department do this."));
    }
    if dossier.has_acted(actor, PROVIDER_STEPS) {
        return Err(both_sides(actor, "has acted for the provider"));
    }
    Ok(())
}

/// What would be granted today: within the law as the catalogue has it now, and not for days that have passed.
fn granted_terms(application: &Application, terms: &Terms, scene: Scene<'_>) -> Result<Terms, Problem> {
    let Some(dataset) = scene.catalog.datasets.get(&application.dataset) else {
        let detail = format!("the dataset `{}` is no longer in the catalogue", application.dataset);
        return Err(Problem::new(Code::Conflict, detail).remedy("Reject the application."));
    };
    terms::check(terms, &application.consumer, dataset, scene.catalog, "/grant")?;
    let today = day_in_china(scene.now);
    terms::not_over(terms, today, "/grant/valid_until")?;
    Ok(Terms { valid_from: terms.valid_from.max(today), ..terms.clone() })
}

/// An approver decides; what a steward says is written down for one.
fn approved(
    dossier: Dossier,
    terms: Terms,
    reason: String,
    actor: &Actor,
    scene: Scene<'_>,
) -> Result<Filing, Problem> {
    if !decides(&dossier, actor)? {
        let detail = EventDetail { verdict: Some("approve".to_owned()), terms: Some(terms), ..EventDetail::default() };
        return Ok(prepared(dossier, reason, detail, actor, scene));
    }
    let in_part = is_less(&terms, &dossier.application, scene);
    let (state, step) =
        if in_part { (State::GrantedInPart, Step::ApprovedInPart) } else { (State::Granted, Step::Approved) };
    let mut filing = Filing { application: dossier.application, events: Vec::new() };
    grant(&mut filing, terms, state, scene.clocks.sharing_days, scene);
    filing.note_grant(Some(actor), step, reason, scene.now);
    Ok(filing)
}

fn rejected(
    dossier: Dossier,
    reason: String,
    detail: EventDetail,
    actor: &Actor,
    scene: Scene<'_>,
) -> Result<Filing, Problem> {
    if !decides(&dossier, actor)? {
        let detail = EventDetail { verdict: Some("reject".to_owned()), ..detail };
        return Ok(prepared(dossier, reason, detail, actor, scene));
    }
    let mut filing = moved(dossier, State::Rejected, Clock::Stopped, (actor, Step::Rejected, reason, detail), scene);
    filing.application.decided_at = Some(scene.now);
    Ok(filing)
}

fn extended(
    dossier: Dossier,
    working_days: u32,
    consent: String,
    reason: String,
    actor: &Actor,
    scene: Scene<'_>,
) -> Result<Filing, Problem> {
    let application = &dossier.application;
    if application.extended {
        let detail = format!("the review of `{}` has been extended before", application.id);
        return Err(Problem::new(Code::Conflict, detail).remedy("Decide it; a review is extended once."));
    }
    let most = scene.clocks.extension_days_max;
    if working_days == 0 || working_days > most {
        let remedy = format!("Write 1 to {most}");
        return Err(wrong(Code::InvalidValue, "/working_days", "a review is not extended by so much", remedy));
    }
    let clock = clock::extended(application.clock, working_days);
    let detail = EventDetail { working_days: Some(working_days), consent: Some(consent), ..EventDetail::default() };
    let mut filing = moved(dossier, State::Submitted, clock, (actor, Step::Extended, reason, detail), scene);
    filing.application.extended = true;
    Ok(filing)
}

/// Does the actor decide? A steward prepares; an approver does not decide what it has prepared itself.
fn decides(dossier: &Dossier, actor: &Actor) -> Result<bool, Problem> {
    if !actor.roles.has_any(&[Role::Approver]) {
        return Ok(false);
    }
    if dossier.has_acted(actor, &[Step::Prepared]) {
        return Err(both_sides(actor, "has prepared the decision"));
    }
    Ok(true)
}

fn prepared(dossier: Dossier, reason: String, detail: EventDetail, actor: &Actor, scene: Scene<'_>) -> Filing {
    let (state, clock) = (dossier.application.state, dossier.application.clock);
    moved(dossier, state, clock, (actor, Step::Prepared, reason, detail), scene)
}

/// Is this less than what was asked? Days that have passed are nobody's choice.
fn is_less(terms: &Terms, application: &Application, scene: Scene<'_>) -> bool {
    let asked = &application.asked;
    *terms != Terms { valid_from: asked.valid_from.max(day_in_china(scene.now)), ..asked.clone() }
}

/// Grant; it can be used within so many working days.
fn grant(filing: &mut Filing, terms: Terms, state: State, working_days: u32, scene: Scene<'_>) {
    let today = day_in_china(scene.now);
    let application = &mut filing.application;
    application.state = state;
    application.decided_at = Some(scene.now);
    application.granted = Some(Terms { valid_from: terms.valid_from.max(today), ..terms });
    application.clock = Clock::Running { from: scene.now, working_days };
    application.escalated = 0;
}

type Told<'a> = (&'a Actor, Step, String, EventDetail);

fn moved(dossier: Dossier, state: State, clock: Clock, told: Told<'_>, scene: Scene<'_>) -> Filing {
    let (actor, step, reason, detail) = told;
    let application = Application { state, clock, ..dossier.application };
    let mut filing = Filing { application, events: Vec::new() };
    filing.add(Some(actor), step, reason, detail, scene.now);
    filing
}

fn in_state(application: &Application, states: &[State], done: &str) -> Result<(), Problem> {
    if states.contains(&application.state) {
        return Ok(());
    }
    let wanted = states.iter().map(|state| format!("`{state}`")).collect::<Vec<_>>().join(" or ");
    let detail = format!(
        "the application `{}` is `{}`; only one that is {wanted} can be {done}",
        application.id, application.state
    );
    Err(Problem::new(Code::Conflict, detail).remedy("See what happened to it since."))
}

fn both_sides(actor: &Actor, what: impl Display) -> Problem {
    let detail = format!("the account `{}` {what}", actor.account);
    Problem::new(Code::SeparationOfDuties, detail).remedy("Let somebody else do this.")
}

impl Dossier {
    fn has_acted(&self, actor: &Actor, steps: &[Step]) -> bool {
        self.events.iter().any(|event| event.account.as_ref() == Some(&actor.account) && steps.contains(&event.step))
    }
}

impl Filing {
    /// Add an event, with the state as it is now.
    fn add(&mut self, actor: Option<&Actor>, step: Step, reason: String, detail: EventDetail, at: DateTime<Utc>) {
        let account = actor.map(|actor| actor.account.clone());
        self.events.push(Event { at, account, step, state: self.application.state, reason, detail });
    }

    fn note_grant(&mut self, actor: Option<&Actor>, step: Step, reason: String, at: DateTime<Utc>) {
        let detail = EventDetail { terms: self.application.granted.clone(), ..EventDetail::default() };
        self.add(actor, step, reason, detail, at);
    }
}
