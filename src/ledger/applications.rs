//! Applications: reading them, and leaving an act on one in the ledger, whole.
//!
//! An act is decided in the change that writes it down: what the decision was shown is still true when it is kept.

use std::num::NonZeroU32;

use sqlx::{Any, AnyConnection, FromRow, pool::PoolConnection};

use super::{
    Agreement, Application, ApplicationState, Change, Clock, Event, EventDetail, Ledger, LedgerError, Standing, Step,
    Terms, acts::note, agreements::standings, bump, millis, time,
};
use crate::{
    catalog::SharingMode,
    identifiers::{AgreementId, ApplicationId, DatasetId, DepartmentId},
};

/// What a decision is shown, as it stands in the ledger.
#[derive(Clone, Debug)]
pub struct Dossier {
    pub application: Application,
    pub events: Vec<Event>,
    pub agreements: Agreed,
}

/// Agreements of the ledger: what was granted, and what became of it and of those that were declared in a file.
#[derive(Clone, Debug, Default)]
pub struct Agreed {
    pub mark: AgreedMark,
    /// In force as far as the grant says.
    pub granted: Vec<Agreement>,
    /// Only those that are suspended or revoked.
    pub standings: Vec<(AgreementId, Standing)>,
    /// Which agreement was continued by which.
    pub renewals: Vec<(AgreementId, ApplicationId)>,
}

/// How much was granted, and how much has become of it. Both are only ever added to, so an equal mark means that nothing
/// has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AgreedMark {
    grants: i64,
    events: i64,
}

/// What an act leaves: the application as it is then, and what is added to its events.
#[derive(Clone, Debug)]
pub struct Filing {
    pub application: Application,
    pub events: Vec<Event>,
}

/// Which applications to list.
#[derive(Clone, Debug, Default)]
pub struct ApplicationFilter {
    /// Those that this department has made, or has to answer.
    pub party: Option<DepartmentId>,
    pub state: Option<ApplicationState>,
    /// Only those whose clock runs.
    pub clocked: bool,
}

#[derive(FromRow)]
struct Row {
    number: i64,
    consumer: String,
    dataset: String,
    provider: String,
    applicant: String,
    asked: String,
    legal_basis: String,
    scenario: String,
    mode: String,
    renews: Option<String>,
    state: String,
    clock_from: Option<i64>,
    clock_days: Option<i64>,
    extended: i64,
    escalated: i64,
    submitted_at: i64,
    decided_at: Option<i64>,
    granted: Option<String>,
    shared_at: Option<i64>,
}

/// The name under which the node's own acts are written down.
const NODE: &str = "node";

type EventRow = (i64, Option<String>, String, String, String, String);

/// The columns of a [`Row`], and what follows on them.
macro_rules! select {
    ($rest:literal) => {
        concat!(
            "SELECT number, consumer, dataset, provider, applicant, asked, legal_basis, scenario, mode, renews, state, \
             clock_from, clock_days, extended, escalated, submitted_at, decided_at, granted, shared_at FROM applications ",
            $rest
        )
    };
}

impl Ledger {
    /// Keep a new application, as `decide` makes it of its number and of what the consumer has of the dataset already.
    pub async fn open_application<E: From<LedgerError>>(
        &self,
        consumer: &DepartmentId,
        dataset: &DatasetId,
        decide: impl FnOnce(ApplicationId, Agreed) -> Result<Filing, E> + Send,
    ) -> Result<Application, E> {
        let action = "keep an application";
        let mut change = self.write(action).await?;
        let row: (i64,) = sqlx::query_as("SELECT COALESCE(MAX(number), 0) + 1 FROM applications")
            .fetch_one(&mut *change)
            .await
            .map_err(LedgerError::failed(action))?;
        let filing = decide(id(row.0)?, agreed(&mut change, Some((consumer, dataset))).await?)?;
        insert(&mut change, &filing.application).await?;
        self.finish(change, &filing, 0, action).await?;
        Ok(filing.application)
    }

    /// Do to an application what `decide` makes of how it stands. `None`: there is no such application.
    pub async fn change_application<E: From<LedgerError>>(
        &self,
        id: ApplicationId,
        decide: impl FnOnce(Dossier) -> Result<Filing, E> + Send,
    ) -> Result<Option<Application>, E> {
        let action = "change an application";
        let mut change = self.write(action).await?;
        let Some(application) = find(&mut change, id).await? else { return Ok(None) };
        let before = application.state;
        let events = events_of(&mut change, id).await?;
        let known = events.len();
        let agreements = agreed(&mut change, Some((&application.consumer, &application.dataset))).await?;
        let filing = decide(Dossier { application, events, agreements })?;
        update(&mut change, before, &filing.application).await?;
        self.finish(change, &filing, known, action).await?;
        Ok(Some(filing.application))
    }

    async fn reading(&self) -> Result<PoolConnection<Any>, LedgerError> {
        self.pool.acquire().await.map_err(LedgerError::failed("read the applications"))
    }

    /// Add the events behind those that are known, and commit.
    async fn finish(
        &self,
        mut change: Change,
        filing: &Filing,
        known: usize,
        action: &'static str,
    ) -> Result<(), LedgerError> {
        let id = filing.application.id;
        for (position, event) in (known as i64 + 1..).zip(&filing.events) {
            add_event(&mut change, id, position, event).await?;
            let account = event.account.as_ref().map_or(NODE, |account| account.as_str());
            let act = format!("application {}", event.step);
            note(&mut change, account, &act, &id.to_string(), &event.reason, event.at).await?;
            if matches!(event.step, Step::Approved | Step::ApprovedInPart | Step::GrantedByLaw) {
                bump(&mut change).await?;
            }
        }
        change.commit().await.map_err(LedgerError::failed(action))
    }

    pub async fn application(&self, id: ApplicationId) -> Result<Option<Application>, LedgerError> {
        find(&mut *self.reading().await?, id).await
    }

    /// Everything that happened to an application, in its order.
    pub async fn application_events(&self, id: ApplicationId) -> Result<Vec<Event>, LedgerError> {
        events_of(&mut *self.reading().await?, id).await
    }

    /// Applications after that one, in the order in which they were made.
    pub async fn applications(
        &self,
        filter: &ApplicationFilter,
        after: Option<ApplicationId>,
        limit: u32,
    ) -> Result<Vec<Application>, LedgerError> {
        let rows: Vec<Row> = sqlx::query_as(select!(
            "WHERE number > $1 AND ($2 = '' OR consumer = $2 OR provider = $2) AND ($3 = '' OR state = $3) \
             AND ($4 = 0 OR clock_from IS NOT NULL) ORDER BY number LIMIT $5"
        ))
        .bind(after.map_or(0, |id| i64::from(id.number())))
        .bind(filter.party.as_ref().map_or("", |party| party.as_str()))
        .bind(filter.state.map_or("", ApplicationState::as_str))
        .bind(i64::from(filter.clocked))
        .bind(i64::from(limit))
        .fetch_all(&self.pool)
        .await
        .map_err(LedgerError::failed("list the applications"))?;
        rows.into_iter().map(Application::try_from).collect()
    }

    /// What was granted, and what became of it.
    pub async fn agreed(&self) -> Result<Agreed, LedgerError> {
        agreed(&mut *self.reading().await?, None).await
    }

    /// Has anything been agreed since, or become of what was?
    pub async fn agreed_mark(&self) -> Result<AgreedMark, LedgerError> {
        mark(&mut *self.reading().await?).await
    }
}

async fn find(connection: &mut AnyConnection, id: ApplicationId) -> Result<Option<Application>, LedgerError> {
    let row: Option<Row> = sqlx::query_as(select!("WHERE number = $1"))
        .bind(i64::from(id.number()))
        .fetch_optional(connection)
        .await
        .map_err(LedgerError::failed("read an application"))?;
    row.map(Application::try_from).transpose()
}

async fn events_of(connection: &mut AnyConnection, id: ApplicationId) -> Result<Vec<Event>, LedgerError> {
    let rows: Vec<EventRow> = sqlx::query_as(
        "SELECT at, account, step, state, reason, detail FROM application_events WHERE application = $1 ORDER BY position",
    )
    .bind(i64::from(id.number()))
    .fetch_all(connection)
    .await
    .map_err(LedgerError::failed("read what happened to an application"))?;
    rows.into_iter().map(event).collect()
}

/// Of one consumer and dataset, or all. The mark is read first: what comes in between is then read again, never missed.
async fn agreed(
    connection: &mut AnyConnection,
    of: Option<(&DepartmentId, &DatasetId)>,
) -> Result<Agreed, LedgerError> {
    let mark = mark(&mut *connection).await?;
    let (consumer, dataset) = of.map_or(("", ""), |(consumer, dataset)| (consumer.as_str(), dataset.as_str()));
    let rows: Vec<Row> = sqlx::query_as(select!(
        "WHERE granted IS NOT NULL AND ($1 = '' OR consumer = $1) AND ($2 = '' OR dataset = $2) ORDER BY number"
    ))
    .bind(consumer)
    .bind(dataset)
    .fetch_all(&mut *connection)
    .await
    .map_err(LedgerError::failed("list what was granted"))?;
    let applications = rows.into_iter().map(Application::try_from).collect::<Result<Vec<_>, _>>()?;
    let granted = applications.iter().filter_map(Application::agreement).collect();
    let renewals = applications.iter().filter_map(|one| Some((one.renews.clone()?, one.id))).collect();
    Ok(Agreed { mark, granted, standings: standings(connection).await?, renewals })
}

async fn mark(connection: &mut AnyConnection) -> Result<AgreedMark, LedgerError> {
    let (grants, events): (i64, i64) = sqlx::query_as(
        "SELECT (SELECT COUNT(*) FROM applications WHERE granted IS NOT NULL), (SELECT COUNT(*) FROM agreement_events)",
    )
    .fetch_one(connection)
    .await
    .map_err(LedgerError::failed("count what was granted"))?;
    Ok(AgreedMark { grants, events })
}

async fn insert(change: &mut Change, application: &Application) -> Result<(), LedgerError> {
    let (clock_from, clock_days) = columns_of(application.clock);
    sqlx::query(
        "INSERT INTO applications (number, consumer, dataset, provider, applicant, asked, legal_basis, scenario, mode, \
         renews, state, clock_from, clock_days, extended, escalated, submitted_at, decided_at, granted, shared_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
    )
    .bind(i64::from(application.id.number()))
    .bind(application.consumer.as_str())
    .bind(application.dataset.as_str())
    .bind(application.provider.as_str())
    .bind(application.applicant.as_str())
    .bind(json(&application.asked)?)
    .bind(application.legal_basis.as_str())
    .bind(application.scenario.as_str())
    .bind(application.mode.word())
    .bind(application.renews.as_ref().map(|id| id.as_str().to_owned()))
    .bind(application.state.as_str())
    .bind(clock_from)
    .bind(clock_days)
    .bind(i64::from(application.extended))
    .bind(i64::from(application.escalated))
    .bind(millis(application.submitted_at))
    .bind(application.decided_at.map(millis))
    .bind(application.granted.as_ref().map(json).transpose()?)
    .bind(application.shared_at.map(millis))
    .execute(&mut **change)
    .await
    .map_err(LedgerError::failed("keep an application"))?;
    Ok(())
}

/// What was asked, by whom and when, stays as it was.
async fn update(change: &mut Change, before: ApplicationState, application: &Application) -> Result<(), LedgerError> {
    let (clock_from, clock_days) = columns_of(application.clock);
    let updated = sqlx::query(
        "UPDATE applications SET state = $3, clock_from = $4, clock_days = $5, extended = $6, escalated = $7, \
         decided_at = $8, granted = $9, shared_at = $10 WHERE number = $1 AND state = $2",
    )
    .bind(i64::from(application.id.number()))
    .bind(before.as_str())
    .bind(application.state.as_str())
    .bind(clock_from)
    .bind(clock_days)
    .bind(i64::from(application.extended))
    .bind(i64::from(application.escalated))
    .bind(application.decided_at.map(millis))
    .bind(application.granted.as_ref().map(json).transpose()?)
    .bind(application.shared_at.map(millis))
    .execute(&mut **change)
    .await
    .map_err(LedgerError::failed("change an application"))?;
    // Writers take turns, so this cannot be; were it so after all, nothing is kept.
    if updated.rows_affected() != 1 {
        return Err(damaged(format!("`{}` changed under a change", application.id)));
    }
    Ok(())
}

async fn add_event(change: &mut Change, id: ApplicationId, position: i64, event: &Event) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO application_events (application, position, at, account, step, state, reason, detail) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(i64::from(id.number()))
    .bind(position)
    .bind(millis(event.at))
    .bind(event.account.as_ref().map(|account| account.as_str().to_owned()))
    .bind(event.step.as_str())
    .bind(event.state.as_str())
    .bind(event.reason.as_str())
    .bind(json(&event.detail)?)
    .execute(&mut **change)
    .await
    .map_err(LedgerError::failed("write down what happened to an application"))?;
    Ok(())
}

fn columns_of(clock: Clock) -> (Option<i64>, Option<i64>) {
    match clock {
        Clock::Stopped => (None, None),
        Clock::Running { from, working_days } => (Some(millis(from)), Some(i64::from(working_days))),
        Clock::Paused { working_days } => (None, Some(i64::from(working_days))),
    }
}

fn damaged(reason: String) -> LedgerError {
    LedgerError::Damaged { reason }
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, LedgerError> {
    serde_json::to_string(value).map_err(|error| damaged(error.to_string()))
}

fn id(number: i64) -> Result<ApplicationId, LedgerError> {
    let number = u32::try_from(number).ok().and_then(NonZeroU32::new);
    number.map(ApplicationId::new).ok_or_else(|| damaged("the number of an application".to_owned()))
}

/// A word or a name that the ledger has kept.
fn read<T, E: std::fmt::Display>(what: Result<T, E>) -> Result<T, LedgerError> {
    what.map_err(|error| damaged(error.to_string()))
}

fn word<T>(found: Option<T>, word: &str) -> Result<T, LedgerError> {
    found.ok_or_else(|| damaged(format!("the word `{word}`")))
}

fn count(number: i64) -> Result<u32, LedgerError> {
    u32::try_from(number).map_err(|_| damaged(format!("the number {number}")))
}

fn terms(text: &str) -> Result<Terms, LedgerError> {
    read(serde_json::from_str(text))
}

impl TryFrom<Row> for Application {
    type Error = LedgerError;
    fn try_from(row: Row) -> Result<Self, LedgerError> {
        let clock = match (row.clock_from, row.clock_days.map(count).transpose()?) {
            (Some(from), Some(working_days)) => Clock::Running { from: time(from)?, working_days },
            (None, Some(working_days)) => Clock::Paused { working_days },
            (_, None) => Clock::Stopped,
        };
        Ok(Self {
            id: id(row.number)?,
            consumer: read(row.consumer.parse())?,
            dataset: read(row.dataset.parse())?,
            provider: read(row.provider.parse())?,
            applicant: read(row.applicant.parse())?,
            asked: terms(&row.asked)?,
            legal_basis: row.legal_basis,
            scenario: row.scenario,
            mode: word(SharingMode::from_word(&row.mode), &row.mode)?,
            renews: row.renews.map(|id| read(id.parse())).transpose()?,
            state: word(ApplicationState::from_word(&row.state), &row.state)?,
            clock,
            extended: row.extended != 0,
            escalated: count(row.escalated)?,
            submitted_at: time(row.submitted_at)?,
            decided_at: row.decided_at.map(time).transpose()?,
            granted: row.granted.as_deref().map(terms).transpose()?,
            shared_at: row.shared_at.map(time).transpose()?,
        })
    }
}

fn event((at, account, step, state, reason, detail): EventRow) -> Result<Event, LedgerError> {
    Ok(Event {
        at: time(at)?,
        account: account.map(|account| read(account.parse())).transpose()?,
        step: word(Step::from_word(&step), &step)?,
        state: word(ApplicationState::from_word(&state), &state)?,
        reason,
        detail: read(serde_json::from_str::<EventDetail>(&detail))?,
    })
}
