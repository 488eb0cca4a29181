//! The desk at which applications are made and answered, over the ledger.
//!
//! Each act is decided and written down in one change of the ledger; who loses a race is told what has happened since.

use chrono::{DateTime, Utc};
use metrics::{counter, gauge};

use super::{
    Agreements, application,
    application::Scene,
    clock,
    review::Review,
    terms::{Asked, Wish},
};
use crate::{
    calendar::{Calendar, day_in_china, is_overdue},
    catalog::Catalog,
    config::ClockSettings,
    identifiers::{AgreementId, ApplicationId, DatasetId, Role},
    ledger::{
        Actor, Agreed, Application, ApplicationFilter, ApplicationState, Dossier, Event, Filing, Ledger, LedgerError,
    },
    problem::{Code, Problem},
};

/// Applications with a running clock that are looked through for overdue ones.
const CLOCKED_MAX: u32 = 100_000;

/// Why an act was not done.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    #[error(transparent)]
    Refused(#[from] Problem),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl DeskError {
    pub fn code(&self) -> Code {
        match self {
            Self::Refused(problem) => problem.code,
            Self::Ledger(error) => error.code(),
        }
    }
}

/// Everything that applications are judged by.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    pub ledger: &'a Ledger,
    pub catalog: &'a Catalog,
    /// Those of the file count; those of the ledger are read again.
    pub agreements: &'a Agreements,
    pub calendar: &'a Calendar,
    pub clocks: &'a ClockSettings,
}

/// Which applications to list.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    pub state: Option<ApplicationState>,
    /// Only those that are overdue.
    pub overdue: bool,
    pub after: Option<ApplicationId>,
    pub limit: u32,
}

/// What a look at all clocks has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sweep {
    pub escalated: Vec<(ApplicationId, u32)>,
    pub shared: Vec<ApplicationId>,
}

impl<'a> Desk<'a> {
    /// Apply for data, for the actor's department.
    pub async fn apply(&self, wish: &Wish, actor: &Actor, now: DateTime<Utc>) -> Result<Application, DeskError> {
        actor.require(&[Role::Consumer])?;
        let asked = wish.parse(&actor.department, self.catalog, day_in_china(now))?;
        self.open(asked, None, actor, now).await
    }

    pub(super) async fn open(
        &self,
        asked: Asked,
        renews: Option<AgreementId>,
        actor: &Actor,
        now: DateTime<Utc>,
    ) -> Result<Application, DeskError> {
        let (scene, dataset) = (self.scene(now), asked.dataset.id.clone());
        self.ledger
            .open_application(&actor.department, &dataset, |id, agreed| {
                let filing = application::submitted(id, asked, renews, actor, scene);
                self.without_overlap(filing, &agreed)
            })
            .await
    }

    /// Answer an application, for its provider.
    pub async fn review(
        &self,
        id: ApplicationId,
        review: &Review,
        actor: &Actor,
        now: DateTime<Utc>,
    ) -> Result<Application, DeskError> {
        let scene = self.scene(now);
        self.act(id, actor, |dossier| application::reviewed(dossier, review, actor, scene)).await
    }

    /// Answer what the provider has asked.
    pub async fn answer(
        &self,
        id: ApplicationId,
        text: &str,
        actor: &Actor,
        now: DateTime<Utc>,
    ) -> Result<Application, DeskError> {
        let scene = self.scene(now);
        self.act(id, actor, |dossier| application::answered(dossier, text, actor, scene)).await
    }

    /// Take an application back.
    pub async fn withdraw(
        &self,
        id: ApplicationId,
        reason: &str,
        actor: &Actor,
        now: DateTime<Utc>,
    ) -> Result<Application, DeskError> {
        let scene = self.scene(now);
        self.act(id, actor, |dossier| application::withdrawn(dossier, reason, actor, scene)).await
    }

    async fn act(
        &self,
        id: ApplicationId,
        actor: &Actor,
        decide: impl FnOnce(Dossier) -> Result<Filing, Problem> + Send,
    ) -> Result<Application, DeskError> {
        let done = self
            .ledger
            .change_application(id, |dossier| {
                if !may_see(actor, &dossier.application) {
                    return Err(no_such(id).into());
                }
                let agreed = dossier.agreements.clone();
                self.without_overlap(decide(dossier)?, &agreed)
            })
            .await?;
        done.ok_or_else(|| no_such(id).into())
    }

    /// What is granted now leaves no day on which two agreements decide.
    fn without_overlap(&self, filing: Filing, agreed: &Agreed) -> Result<Filing, DeskError> {
        let Some(granted) = filing.application.agreement() else { return Ok(filing) };
        let joined = self.joined(agreed)?;
        match joined.in_the_way(&granted) {
            Some((item, other)) => {
                let detail = format!(
                    "the item {item} has the agreement `{}` for this dataset already, from {} to {}",
                    other.id, other.valid_from, other.valid_until
                );
                let remedy = "Let one end before the other begins, revoke the other first, or leave the item out.";
                Err(Problem::new(Code::Conflict, detail).remedy(remedy).into())
            }
            None => Ok(filing),
        }
    }

    /// The agreements of the file and of the ledger.
    pub(super) fn joined(&self, agreed: &Agreed) -> Result<Agreements, DeskError> {
        let broken = |error: super::AgreementsError| {
            Problem::new(error.code(), error.to_string()).remedy("Let the node's operator mend the file of agreements.")
        };
        self.agreements.join(agreed).map_err(|error| broken(error).into())
    }

    /// One application with everything that happened to it.
    pub async fn dossier(&self, id: ApplicationId, actor: &Actor) -> Result<(Application, Vec<Event>), DeskError> {
        let found = self.ledger.application(id).await?.filter(|application| may_see(actor, application));
        let application = found.ok_or_else(|| no_such(id))?;
        Ok((application, self.ledger.application_events(id).await?))
    }

    /// A part of the applications that the actor may see, in their order.
    pub async fn list(
        &self,
        listing: &Listing,
        actor: &Actor,
        now: DateTime<Utc>,
    ) -> Result<Vec<Application>, DeskError> {
        actor.require(Role::ALL)?;
        let party = (!sees_everything(actor)).then(|| actor.department.clone());
        let Listing { state, overdue, after, limit } = *listing;
        let filter = ApplicationFilter { party, state, clocked: overdue };
        if !overdue {
            return Ok(self.ledger.applications(&filter, after, limit).await?);
        }
        let mut found = self.ledger.applications(&filter, after, CLOCKED_MAX).await?;
        found.retain(|application| self.is_overdue(application, now));
        found.truncate(limit as usize);
        Ok(found)
    }

    fn is_overdue(&self, application: &Application, now: DateTime<Utc>) -> bool {
        clock::due(application.clock, self.calendar).is_some_and(|due| is_overdue(due, now))
    }

    /// Look at all clocks: say once a level what is overdue, and note what has come into use because its dataset is
    /// served.
    pub async fn sweep(
        &self,
        now: DateTime<Utc>,
        is_served: impl Fn(&DatasetId) -> bool,
    ) -> Result<Sweep, LedgerError> {
        let scene = self.scene(now);
        let filter = ApplicationFilter { clocked: true, ..ApplicationFilter::default() };
        let clocked = self.ledger.applications(&filter, None, CLOCKED_MAX).await?;
        let mut sweep = Sweep::default();
        for application in &clocked {
            let id = application.id;
            if application.granted.is_some() && is_served(&application.dataset) {
                let done = self.note(id, |dossier| application::shared(dossier, scene)).await?;
                sweep.shared.extend(done.map(|_| id));
            } else if self.level(application, now) > application.escalated
                && let Some(done) = self.note(id, |dossier| application::escalated(dossier, scene)).await?
            {
                counter!("shuqiao_escalations_total", "clock" => clock_name(&done)).increment(1);
                sweep.escalated.push((id, done.escalated));
            }
        }
        for name in ["review", "sharing"] {
            let late = clocked.iter().filter(|one| clock_name(one) == name && !sweep.shared.contains(&one.id));
            let late = late.filter(|application| self.is_overdue(application, now)).count();
            gauge!("shuqiao_applications_overdue", "clock" => name).set(late as f64);
        }
        Ok(sweep)
    }

    fn level(&self, application: &Application, now: DateTime<Utc>) -> u32 {
        clock::level(application.clock, now, self.calendar, self.clocks.escalation_days)
    }

    /// An act of the node itself; nothing, where it turns out that there is nothing to do.
    async fn note(
        &self,
        id: ApplicationId,
        decide: impl FnOnce(Dossier) -> Option<Filing> + Send,
    ) -> Result<Option<Application>, LedgerError> {
        let done = self.ledger.change_application(id, |dossier| decide(dossier).ok_or(Idle::Nothing)).await;
        match done {
            Ok(application) => Ok(application),
            Err(Idle::Nothing) => Ok(None),
            Err(Idle::Failed(error)) => Err(error),
        }
    }

    fn scene(&self, now: DateTime<Utc>) -> Scene<'a> {
        Scene { catalog: self.catalog, calendar: self.calendar, clocks: self.clocks, now }
    }
}

/// Why nothing was written down.
enum Idle {
    Nothing,
    Failed(LedgerError),
}

impl From<LedgerError> for Idle {
    fn from(error: LedgerError) -> Self {
        Self::Failed(error)
    }
}

/// Which clock of an application runs.
fn clock_name(application: &Application) -> &'static str {
    if application.granted.is_some() { "sharing" } else { "review" }
}

pub(super) fn sees_everything(actor: &Actor) -> bool {
    actor.roles.has_any(&[Role::Auditor, Role::Operator])
}

fn may_see(actor: &Actor, application: &Application) -> bool {
    let party = [&application.consumer, &application.provider].contains(&&actor.department);
    sees_everything(actor) || (party && !actor.roles.is_empty())
}

fn no_such(id: ApplicationId) -> Problem {
    Problem::new(Code::NotFound, format!("there is no application `{id}` of the department or for it"))
        .remedy("List the applications that there are.")
}
