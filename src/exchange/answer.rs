//! The nine steps.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use aws_lc_rs::digest;
use chrono::{DateTime, FixedOffset, NaiveDate, SecondsFormat, Timelike, Utc};
use metrics::{Histogram, counter, histogram};

use super::{
    body::{AnswerBody, OutcomeWord},
    call::Call,
    caller::no_token,
    defence::{Defence, Standing},
    demand,
    forward::{forwarded, same_purpose, speaks_for_its_own},
    incoming::{Credential, Incoming},
    limit::Limits,
    returns::ReturnDesk,
    rights::{InForce, Rights},
    shape::{self, Shaped},
    statistics::{StatisticsDesk, StatisticsLimits},
};
use crate::{
    audit::{AuditError, Log, Pseudonymiser, Record, receipt::Receipts},
    engine::{Engine, Found},
    enumeration::Thresholds,
    federation::{self, Federation, Forwarding, Repeats, Route},
    identifiers::{AgreementId, CallId, NodeId, Official},
    identity::{Caller, Verifier},
    ledger::Agreement,
    policy::{self, Decision, Manner, Obligations, Operation},
    problem::{Code, Problem},
    uplink::Proven,
    verification::Reason,
};

/// China Standard Time, all year since 1991. Validity in law ends with the day in China, not in Greenwich.
pub(super) const CHINA_OFFSET_SECONDS: i32 = 8 * 3600;

/// The day it is in China.
pub fn day_in_china(now: DateTime<Utc>) -> NaiveDate {
    in_china(now).date_naive()
}

pub(super) fn in_china(now: DateTime<Utc>) -> DateTime<FixedOffset> {
    let zone = FixedOffset::east_opt(CHINA_OFFSET_SECONDS).expect("eight hours are less than a day");
    now.with_timezone(&zone)
}

/// What the road is built of; made once, by whoever builds the node.
pub struct Parts {
    /// This node.
    pub node: NodeId,
    pub rights: Rights,
    pub engine: Arc<Engine>,
    pub verifier: Arc<Verifier>,
    pub log: Arc<Log>,
    pub pseudonyms: Arc<Pseudonymiser>,
    pub receipts: Receipts,
    /// Ceiling of one client over all its agreements.
    pub client_calls_per_second: NonZeroU32,
    /// When a client is taken for one that walks through a register.
    pub thresholds: Thresholds,
    /// How long a look-up may take before the answer is indeterminate.
    pub lookup_deadline: Duration,
    /// The other nodes, where this one is not alone.
    pub federation: Option<Arc<Federation>>,
    /// Forwarded calls that were answered before the start.
    pub answered_before: Vec<federation::Key>,
    /// What statistics may tell, and cost.
    pub statistics: StatisticsLimits,
}

/// Answers calls.
pub struct Exchange {
    pub(super) parts: Parts,
    pub(super) in_force: ArcSwap<InForce>,
    pub(super) limits: Limits,
    defence: Defence,
    pub(super) statistics: StatisticsDesk,
    pub(super) returns: ReturnDesk,
    times: Times,
    pub(super) repeats: Repeats<Result<Answer, Refusal>>,
}

/// Who is calling, and through which nodes.
pub(super) struct Asker {
    pub(super) caller: Caller,
    pub(super) forwarding: Option<Forwarding>,
}

impl Asker {
    /// The nodes that the call has passed before this one.
    pub(super) fn chain(&self) -> &[NodeId] {
        self.forwarding.as_ref().map_or(&[], |forwarding| &forwarding.chain)
    }
}

/// An answer that has been recorded and signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub body: AnswerBody,
    /// The body in RFC 8785 canonical form: the bytes that the receipt binds.
    pub canonical: Vec<u8>,
    pub receipt: String,
}

/// A refusal that has been recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub call_id: CallId,
    pub problem: Problem,
}

/// Where times are noted; found once, because finding them takes longer than noting.
struct Times {
    verify: Histogram,
    disclose: Histogram,
    look_up: Histogram,
    record: Histogram,
}

impl Times {
    fn new() -> Self {
        Self {
            verify: histogram!("shuqiao_call_seconds", "operation" => "verify"),
            disclose: histogram!("shuqiao_call_seconds", "operation" => "disclose"),
            look_up: histogram!("shuqiao_step_seconds", "step" => "look_up"),
            record: histogram!("shuqiao_step_seconds", "step" => "record"),
        }
    }

    fn call(&self, operation: Operation) -> &Histogram {
        match operation {
            Operation::Verify => &self.verify,
            Operation::Disclose => &self.disclose,
        }
    }
}

/// What a call may be used for, once step 3 has found it.
pub(super) struct Purpose {
    agreement: Option<Arc<Agreement>>,
    /// Where the answer lives.
    pub(super) route: Route,
}

/// What a call is decided by, beside itself and its caller.
struct By<'a> {
    purpose: &'a Purpose,
    standing: &'a Standing,
    manner: Manner,
    /// The node at which it came in.
    origin: &'a NodeId,
}

impl Exchange {
    /// A road over the given parts. `used_today` are the agreements of today's calls, as the audit log remembers them.
    pub fn new(parts: Parts, used: impl IntoIterator<Item = (AgreementId, NaiveDate)>) -> Self {
        let limits = Limits::new(parts.client_calls_per_second);
        for (agreement, day) in used {
            limits.count_again(&agreement, day);
        }
        let in_force = ArcSwap::from_pointee(InForce::new(parts.rights.clone()));
        let defence = Defence::new(parts.thresholds.clone(), &parts.pseudonyms);
        let repeats = Repeats::new(parts.answered_before.iter().cloned());
        let statistics = StatisticsDesk::new(parts.statistics);
        let returns = ReturnDesk::default();
        Self { in_force, limits, defence, statistics, returns, parts, times: Times::new(), repeats }
    }

    /// Answer one call: the nine steps, in their order.
    ///
    /// Whatever comes out has been recorded durably before (promise 2); if it could not be, the refusal says so and
    /// nothing else. Dropping the future (the caller hung up) leaves at most a record of an answer that was not read.
    pub async fn answer(&self, incoming: Incoming<'_>) -> Result<Answer, Refusal> {
        let started = std::time::Instant::now();
        let mut record =
            Record::begin(incoming.call_id, incoming.received, recorded(incoming.operation), incoming.request_sha256);
        record.finishes = incoming.credential.finishes();
        let shaped = self.shaped(&incoming, &mut record).await; //                        1 to 7
        let answered = self.record_and_sign(&incoming, record, shaped, started).await; // 8 and 9
        let operation = incoming.operation.as_str();
        let (outcome, code) = match &answered {
            Ok(answer) => (answer.body.outcome.as_str(), "none"),
            Err(refusal) => ("refused", refusal.problem.code.as_str()),
        };
        counter!("shuqiao_calls_total", "operation" => operation, "outcome" => outcome, "code" => code).increment(1);
        self.times.call(incoming.operation).record(started.elapsed());
        answered
    }

    /// Steps 1 to 7. Each notes in the record what it has learnt, so that a refusal is recorded with all that was known.
    async fn shaped(
        &self,
        incoming: &Incoming<'_>,
        record: &mut Record,
    ) -> Result<(Call, Option<Found>, Shaped), Problem> {
        let now = incoming.received;
        let asker = self.identify(incoming, now).await?; //                               1 identify
        let caller = &asker.caller;
        record.caller(&caller.client, &caller.department);
        record.forwarded(asker.forwarding.as_ref().map(|it| (it.chain.as_slice(), it.call_id)));
        let question = incoming.question.as_ref().map_err(Problem::clone)?;
        let in_force = self.in_force.load_full(); // One set of rights from here to the end, whatever changes meanwhile.
        let call = Call::parse(question, &in_force.rights.catalog, day_in_china(now))?; // 2 parse
        self.note_call(record, &call);
        let purpose = self.resolve(&in_force, &asker, &call, now)?; //                     3 resolve
        record.agreement(purpose.agreement.as_deref().map(|agreement| &agreement.id));
        in_force.going_on(&asker, &call, purpose.agreement.as_deref())?;
        let volume = self.limits.admit(&caller.client, purpose.agreement.as_deref(), now)?; // 4 limit
        let standing = self.defence.admit(caller, &call, now)?;
        let manner = call.manner(incoming.credential.channel(), volume);
        let origin = asker.chain().first().unwrap_or(&self.parts.node);
        let by = By { purpose: &purpose, standing: &standing, manner, origin };
        let obligations = decide(&in_force, caller, &call, by, now, record)?; //          5 decide
        let looked = self.look_up(incoming, &asker, &call, (&purpose, &obligations), &in_force).await; // 6 look up
        let mut shaped = looked.shape(&call, &obligations); //                            7 shape
        let found = looked.found();
        self.defence.observe(&standing, &call, record, (found, &shaped), &in_force.rights.catalog, now);
        // Of a record that the caller has no business with, nothing is said.
        if shaped.reason != Some(Reason::OutsideDivision) {
            shaped.objection = shaped.objection.or(in_force.objection(&call, record, found, &obligations));
        }
        record.asked(looked.asked());
        Ok((call, looked.into_found(), shaped))
    }

    async fn identify(&self, incoming: &Incoming<'_>, now: DateTime<Utc>) -> Result<Asker, Problem> {
        let caller = match incoming.credential {
            Credential::Missing => return Err(no_token()),
            Credential::Forwarded(accepted) => return forwarded(accepted),
            Credential::Bearer(bearer) => self.registered(bearer, now).await?,
            Credential::Signed { request, .. } => {
                let Proven { client, signed_at, expires } = request.prove(&incoming.request_sha256, now)?;
                self.proven(&client, incoming.call_id, (signed_at, expires))?
            }
            // What it was when it filed the call is of no importance: the answer reaches it only if it stands now.
            Credential::Filed { client, .. } => self.proven(client, incoming.call_id, (now, now))?,
        };
        if !caller.roles.is_empty() {
            let detail = format!("`{}` is the account of a person; calls are made by systems", caller.client);
            return Err(Problem::new(Code::RoleRequired, detail).remedy("Call with the token of a registered system."));
        }
        Ok(Asker { caller, forwarding: None })
    }

    fn note_call(&self, record: &mut Record, call: &Call) {
        let subject = self.parts.pseudonyms.pseudonym(call.subject_field.as_str(), &call.subject);
        record.call(&call.dataset.id, &call.item.code, call.case.as_ref(), &call.subject_field, subject, &call.fields);
        record.consent.clone_from(&call.consent);
        // An account name is one person's at its department only.
        let department = record.department.as_ref().map_or("", |department| department.as_str());
        let pseudonym = |official: &Official| {
            self.parts.pseudonyms.pseudonym("official", &format!("{department}/{}", official.as_str()))
        };
        (record.operator, record.approver) =
            (call.operator.as_ref().map(pseudonym), call.approver.as_ref().map(pseudonym));
    }

    /// What this node's own register has.
    pub(super) async fn look_up_here(&self, call: &Call, positions: &[usize]) -> Result<Found, Reason> {
        let asked = self.parts.engine.look_up_in(&call.dataset, &call.subject_field, &call.subject, positions);
        let looking = std::time::Instant::now();
        let looked = tokio::time::timeout(self.parts.lookup_deadline, asked).await;
        self.times.look_up.record(looking.elapsed());
        match looked {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => {
                tracing::warn!(dataset = %call.dataset.id, error = &error as &dyn std::error::Error, "look-up failed");
                Err(shape::reason_of(&error))
            }
            Err(_) => Err(Reason::DeadlineExceeded),
        }
    }

    /// Steps 8 and 9: the record is durable before anything is said, and what is said is what was recorded.
    async fn record_and_sign(
        &self,
        incoming: &Incoming<'_>,
        mut record: Record,
        shaped: Result<(Call, Option<Found>, Shaped), Problem>,
        started: std::time::Instant,
    ) -> Result<Answer, Refusal> {
        let refused = |problem| Refusal { call_id: incoming.call_id, problem };
        let composed = match shaped {
            Ok((call, found, shaped)) => {
                let body = body(incoming, &call, found.as_ref(), &shaped);
                let canonical = body.canonical().map_err(|error| refused(internal(&error)))?;
                record.answered(&record_of(&body, &shaped), sha256(&canonical));
                Ok((body, canonical))
            }
            Err(problem) => {
                record.refused(problem.code);
                Err(problem)
            }
        };
        record.took(started.elapsed());
        let recording = std::time::Instant::now();
        let recorded = self.record(&record, composed).await; //                                     8 record, 9 sign
        self.times.record.record(recording.elapsed());
        recorded.map_err(|error| refused(audit_failed(&error)))?.map_err(refused)
    }

    async fn record(
        &self,
        record: &Record,
        composed: Result<(AnswerBody, Vec<u8>), Problem>,
    ) -> Result<Result<Answer, Problem>, AuditError> {
        match composed {
            Ok((body, canonical)) => {
                let receipt = self.parts.receipts.record(record).await?;
                Ok(Ok(Answer { body, canonical, receipt }))
            }
            Err(problem) => self.parts.log.append(record.to_bytes()?).await.map(|_| Err(problem)),
        }
    }

    /// Step 3: the agreement that the call is made under, and where its answer lives.
    fn resolve(&self, in_force: &InForce, asker: &Asker, call: &Call, now: DateTime<Utc>) -> Result<Purpose, Problem> {
        let (rights, today) = (&in_force.rights, day_in_china(now));
        if let Some(forwarding) = &asker.forwarding {
            same_purpose(forwarding, call)?;
            speaks_for_its_own(forwarding, &rights.catalog)?;
        }
        let department = &asker.caller.department;
        let agreement = rights.agreements.find(department, &call.dataset.id, &call.item.code, today).cloned();
        Ok(Purpose { agreement, route: self.route(asker, call, &rights.catalog) })
    }

    /// Change the rights, which decide from now on; those before go when their last call is done. Of two changes at once
    /// neither undoes the other: `change` is made again on what the other has left.
    pub fn change_rights(&self, change: impl Fn(&mut Rights)) {
        self.in_force.rcu(|in_force| {
            let mut rights = in_force.rights.clone();
            change(&mut rights);
            InForce::new(rights)
        });
    }

    /// The watch for those who walk through a register.
    pub fn defence(&self) -> &Defence {
        &self.defence
    }

    /// What calls are decided by.
    pub fn rights(&self) -> Rights {
        self.in_force.load().rights.clone()
    }
}

fn decide(
    in_force: &InForce,
    caller: &Caller,
    call: &Call,
    By { purpose, standing, manner, origin }: By<'_>,
    now: DateTime<Utc>,
    record: &mut Record,
) -> Result<Obligations, Problem> {
    let Some(department) = in_force.rights.catalog.departments.get(&caller.department) else {
        let detail = format!("department `{}` is not in the catalogue", caller.department);
        return Err(Problem::new(Code::Denied, detail).remedy("Ask the node's operator to add it."));
    };
    record.department_credit_code = Some(department.credit_code);
    record.suspicion = standing.verdict.level.number();
    record.manner(manner.channel.as_str(), origin, manner.volume.percent());
    let local = in_china(now);
    let decision = in_force.decider.decide(&policy::Question {
        operation: call.operation(),
        client: &caller.client,
        department,
        dataset: &call.dataset,
        item: &call.item,
        agreement: purpose.agreement.as_deref(),
        subject_field: &call.subject_field,
        fields: &call.fields,
        case_present: call.case.is_some(),
        today: local.date_naive(),
        hour: local.hour(),
        suspicion: standing.verdict.level.number(),
        origin,
        manner,
    });
    let policies = &in_force.rights.policies;
    match &*decision {
        Decision::Allow { policies: decided, obligations } => {
            record.allowed(decided.clone(), &obligations.words(), policies.hash());
            demand::met(obligations, call, decided)?;
            Ok(obligations.clone())
        }
        Decision::Deny { policies: decided, reasons } => {
            record.denied(decided.clone(), policies.hash());
            if let Some(blocked) = standing.blocked(&decision, now) {
                return Err(blocked);
            }
            Err(Problem::new(Code::Denied, reasons.join("; ")).policies(decided.clone()).remedy(
                "The policies that decided are named; ask the data steward for an agreement that covers the call.",
            ))
        }
    }
}

fn record_of(body: &AnswerBody, shaped: &Shaped) -> crate::audit::Answered {
    crate::audit::Answered {
        outcome: body.outcome.as_str().to_owned(),
        reason: body.reason.clone(),
        dataset_version: body.dataset_version,
        as_of: body.as_of.clone(),
        disclosed: shaped.values.iter().flat_map(|values| values.keys().cloned()).collect(),
    }
}

fn body(incoming: &Incoming<'_>, call: &Call, found: Option<&Found>, shaped: &Shaped) -> AnswerBody {
    let names = |fields: &[crate::identifiers::FieldName]| {
        let names: Vec<_> = fields.iter().map(|field| field.as_str().to_owned()).collect();
        Some(names).filter(|names| !names.is_empty())
    };
    let own = found.map(|found| (found.version.0, timestamp(found.as_of)));
    let (dataset_version, as_of) = own.or_else(|| shaped.version.clone()).unzip();
    AnswerBody {
        call_id: incoming.call_id.to_string(),
        outcome: shaped.outcome,
        reason: shaped.reason.map(|reason| reason.as_str().to_owned()),
        disposition: disposition(shaped),
        claims: shaped.claims.clone(),
        values: shaped.values.clone(),
        masked: names(&shaped.masked),
        nodes: Some(shaped.nodes.clone()).filter(|nodes| !nodes.is_empty()),
        objection: shaped.objection.map(str::to_owned),
        withheld: names(&shaped.withheld),
        dataset: call.dataset.id.as_str().to_owned(),
        dataset_version,
        as_of,
        answered_at: timestamp(incoming.received),
    }
}

fn disposition(shaped: &Shaped) -> Option<String> {
    match shaped.outcome {
        OutcomeWord::Indeterminate => shaped.reason.map(|reason| reason.disposition().to_owned()),
        OutcomeWord::Match | OutcomeWord::Mismatch | OutcomeWord::Found | OutcomeWord::NotFound => None,
    }
}

pub(super) fn timestamp(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, bytes).as_ref());
    hash
}

/// The operation as the log names it.
fn recorded(operation: Operation) -> crate::audit::Operation {
    match operation {
        Operation::Verify => crate::audit::Operation::Verification,
        Operation::Disclose => crate::audit::Operation::Disclosure,
    }
}

fn internal(error: &(dyn std::error::Error + 'static)) -> Problem {
    tracing::error!(error, "an answer could not be composed");
    Problem::new(Code::Internal, "the node could not compose the answer")
}

/// No record, no answer (promise 2).
pub(super) fn audit_failed(error: &AuditError) -> Problem {
    let code = match error.code() {
        Code::Overloaded => Code::Overloaded, // Not logged: it comes with every call past capacity, and is counted.
        _ => {
            tracing::error!(error = error as &dyn std::error::Error, "the audit log did not take a record");
            Code::AuditUnavailable
        }
    };
    let problem = Problem::new(code, "the call could not be recorded, so it is not answered");
    problem.remedy("Try again.").retry_after(1)
}
