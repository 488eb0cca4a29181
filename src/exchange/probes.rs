//! The node proves its locks before it opens (promise 8).
//!
//! Calls that must be denied, and disclosures that must be masked, are put to the very policy set and catalogue that
//! will decide. A policy file that is well formed and wrong is found here, before a department finds it.
//!
//! Each probe begins with a call that every lock lets through and then closes one of them, so that no other lock can
//! hide that this one is missing.

use std::{num::NonZero, sync::Arc, thread, time::Instant};

use chrono::{Days, NaiveDate};

use super::return_probes;
use crate::{
    agreements::Agreements,
    catalog::{Catalog, Dataset, Department, Disclosure, Field, Item, Sensitivity, SharingAttribute, StandIn},
    identifiers::{ClientId, DepartmentId, FieldName},
    ledger::Agreement,
    policy::{Decision, Manner, Operation, PolicySet, Question},
};

/// Who asks in a probe, and a department that is nobody's.
const PROBE: &str = "start-up-probe";
/// From this level on, a field is disclosed masked or not at all.
const SENSITIVE_FROM: u8 = 3;
/// At this level, a call names its case.
const MOST_SENSITIVE: u8 = 4;
/// Up to so many agreements in force, each is put to the probes; of more, so many that are spread over all of them. A start
/// must come to an end.
const AGREEMENTS_MAX: usize = 10_000;
/// An ordinary hour of work.
const HOUR: u32 = 10;

/// A probe that did not come out as it must. The node does not serve.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error("start-up probe `{probe}` {happened}. Check the policies; the node does not serve until every probe passes")]
pub struct ProbeFailed {
    pub probe: &'static str,
    pub happened: String,
}

/// Put every probe to the policy set, on all cores; the number of questions asked. Blocks: with thousands of agreements for
/// seconds.
pub fn prove_the_locks(
    catalog: &Catalog,
    agreements: &Agreements,
    policies: &PolicySet,
    today: NaiveDate,
) -> Result<usize, ProbeFailed> {
    let began = Instant::now();
    let client: ClientId = PROBE.parse().map_err(|_| failed("any", "has no name to ask under"))?;
    let in_force: Vec<_> = agreements.iter().filter(|agreement| agreement.is_in_force_on(today)).collect();
    let every = in_force.len().div_ceil(AGREEMENTS_MAX).max(1);
    let probed: Vec<&Arc<Agreement>> = in_force.iter().copied().step_by(every).collect();
    let probe = |part: &[&Arc<Agreement>]| -> Result<usize, ProbeFailed> {
        let asked = part.iter().map(|agreement| probe_agreement(agreement, catalog, policies, &client, today));
        asked.sum()
    };
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let of_returns = return_probes::prove(catalog, policies, today)?;
    let asked = of_returns
        + thread::scope(|scope| {
            let parts = probed.chunks(probed.len().div_ceil(cores).max(1));
            let provers: Vec<_> = parts.map(|part| scope.spawn(move || probe(part))).collect();
            // The first in their order: what is said of a set does not depend on who was quicker.
            let done = provers
                .into_iter()
                .map(|prover| prover.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
            done.sum::<Result<usize, ProbeFailed>>()
        })?;
    let (ms, of) = (began.elapsed().as_millis(), in_force.len());
    if every > 1 {
        tracing::warn!(
            questions = asked,
            agreements = probed.len(),
            of,
            ms,
            "the locks are proven on a sample of the agreements"
        );
    } else {
        tracing::info!(questions = asked, agreements = of, ms, "the locks are proven");
    }
    Ok(asked)
}

/// Every probe under one agreement; the number of questions asked.
fn probe_agreement(
    agreement: &Agreement,
    catalog: &Catalog,
    policies: &PolicySet,
    client: &ClientId,
    today: NaiveDate,
) -> Result<usize, ProbeFailed> {
    let department = catalog.departments.get(&agreement.consumer);
    let (Some(department), Some(dataset)) = (department, catalog.datasets.get(&agreement.dataset)) else {
        return Ok(0);
    };
    let bench = Bench { policies, client, department, today };
    let of_item = |item: &Arc<Item>| {
        let open = Situation::open(agreement, item, dataset, today);
        Ok(bench.probe_locks(&open)? + bench.probe_fields(&open, dataset)?)
    };
    agreement.items.iter().filter_map(|code| catalog.items.get(code)).map(of_item).sum()
}

/// Everything about a call that policies may look at.
#[derive(Clone, Debug)]
struct Situation {
    agreement: Option<Agreement>,
    item: Item,
    dataset: Dataset,
    fields: Vec<FieldName>,
    case_present: bool,
    suspicion: u8,
    today: NaiveDate,
}

/// What closes one lock.
type Close = fn(&mut Situation);

/// Each must make the open situation a denied one, for both operations.
const LOCKS: [(&str, Close); 16] = [
    ("no-agreement", |call| call.agreement = None),
    ("lapsed-agreement", |call| {
        let yesterday = call.today - Days::new(1);
        call.agree(|agreement| agreement.valid_until = yesterday);
    }),
    ("future-agreement", |call| {
        let tomorrow = call.today + Days::new(1);
        call.agree(|agreement| agreement.valid_from = tomorrow);
    }),
    ("item-not-covered", |call| call.agree(|agreement| agreement.items.clear())),
    ("item-of-another", |call| {
        if let Ok(nobody) = PROBE.parse::<DepartmentId>() {
            call.item.department = nobody;
        }
    }),
    ("lapsed-item", |call| call.item.valid_until = Some(call.today - Days::new(1))),
    ("field-not-needed", |call| {
        let asked = call.fields.clone();
        call.need(|field| !asked.contains(field));
    }),
    ("subject-not-needed", |call| {
        let key = call.dataset.key.clone();
        call.need(|field| *field != key);
    }),
    ("field-not-agreed", |call| {
        let asked = call.fields.clone();
        call.grant(|field| !asked.contains(field));
    }),
    ("subject-not-agreed", |call| {
        let key = call.dataset.key.clone();
        call.grant(|field| *field != key);
    }),
    ("never-field", |call| call.each_asked(|field| field.disclosure = Disclosure::Never)),
    ("aggregate-only-field", |call| call.each_asked(|field| field.disclosure = Disclosure::AggregateOnly)),
    ("join-key-only-field", |call| call.each_asked(|field| field.disclosure = Disclosure::JoinKeyOnly)),
    ("dataset-not-shared", |call| call.dataset.sharing.attribute = SharingAttribute::NotShared),
    ("sensitive-without-case", |call| {
        call.each_asked(|field| field.sensitivity = Sensitivity::new(MOST_SENSITIVE).unwrap_or(field.sensitivity));
        call.case_present = false;
    }),
    ("suspected-harvester", |call| call.suspicion = 3),
];

impl Situation {
    /// A call that nothing speaks against: everything is in force, needed, granted, and may be shown masked.
    fn open(agreement: &Agreement, item: &Item, dataset: &Arc<Dataset>, today: NaiveDate) -> Self {
        let other = dataset.fields.iter().map(|field| &field.name).find(|name| **name != dataset.key);
        let asked = other.unwrap_or(&dataset.key).clone();
        let mut open = Self {
            agreement: Some(agreement.clone()),
            item: Item {
                department: agreement.consumer.clone(),
                valid_from: item.valid_from.min(today),
                valid_until: None,
                ..item.clone()
            },
            dataset: Dataset::clone(dataset),
            fields: vec![asked],
            case_present: true,
            suspicion: 0,
            today,
        };
        if open.dataset.sharing.attribute == SharingAttribute::NotShared {
            open.dataset.sharing.attribute = SharingAttribute::Conditional;
        }
        open.each_asked(|field| field.disclosure = Disclosure::Masked);
        open.need(|_| true);
        open.grant(|_| true);
        open
    }

    fn agree(&mut self, change: impl FnOnce(&mut Agreement)) {
        if let Some(agreement) = &mut self.agreement {
            change(agreement);
        }
    }

    /// Let the agreement grant these fields, for both operations.
    fn grant(&mut self, which: impl Fn(&FieldName) -> bool) {
        let granted: Vec<_> = self.names().filter(|name| which(name)).cloned().collect();
        self.agree(|agreement| {
            agreement.compare = granted.iter().cloned().collect();
            agreement.disclose = granted.into_iter().collect();
        });
    }

    /// Let the item need these fields of the dataset.
    fn need(&mut self, which: impl Fn(&FieldName) -> bool) {
        let fields = self.names().filter(|name| which(name)).cloned().collect();
        let stand_in = StandIn { dataset: self.dataset.id.clone(), fields };
        self.item.materials.truncate(1);
        for material in &mut self.item.materials {
            material.stand_ins = vec![stand_in.clone()];
        }
    }

    fn each_asked(&mut self, change: impl Fn(&mut Field)) {
        let Self { dataset, fields, .. } = self;
        let asked = |field: &&mut Field| field.name == dataset.key || fields.contains(&field.name);
        dataset.fields.iter_mut().filter(asked).for_each(change);
    }

    fn names(&self) -> impl Iterator<Item = &FieldName> {
        self.dataset.fields.iter().map(|field| &field.name)
    }
}

struct Bench<'a> {
    policies: &'a PolicySet,
    client: &'a ClientId,
    department: &'a Department,
    today: NaiveDate,
}

impl Bench<'_> {
    fn probe_locks(&self, open: &Situation) -> Result<usize, ProbeFailed> {
        for (probe, close) in LOCKS {
            let mut closed = open.clone();
            close(&mut closed);
            self.must_deny(probe, Operation::Verify, &closed)?;
            self.must_deny(probe, Operation::Disclose, &closed)?;
        }
        Ok(2 * LOCKS.len())
    }

    /// Every field by itself, as the catalogue has it: what it keeps must stay, and what is sensitive must be masked.
    fn probe_fields(&self, open: &Situation, dataset: &Dataset) -> Result<usize, ProbeFailed> {
        let mut call = open.clone();
        call.dataset.fields.clone_from(&dataset.fields);
        for field in &dataset.fields {
            call.fields = vec![field.name.clone()];
            match field.disclosure {
                Disclosure::Never => self.must_deny("never-field", Operation::Verify, &call)?,
                Disclosure::CompareOnly => self.must_deny("compare-only-field", Operation::Disclose, &call)?,
                Disclosure::AggregateOnly => self.must_deny("aggregate-only-field", Operation::Verify, &call)?,
                Disclosure::JoinKeyOnly => self.must_deny("join-key-only-field", Operation::Verify, &call)?,
                Disclosure::Masked => self.must_mask("masked-field", &call)?,
                Disclosure::Plain if field.sensitivity.level() >= SENSITIVE_FROM => {
                    self.must_mask("sensitive-field", &call)?;
                }
                Disclosure::Plain => {}
            }
        }
        // And one that the catalogue may not have.
        let mut call = open.clone();
        call.each_asked(|field| field.disclosure = Disclosure::CompareOnly);
        self.must_deny("compare-only-field", Operation::Disclose, &call)?;
        Ok(dataset.fields.len() + 1)
    }

    fn must_deny(&self, probe: &'static str, operation: Operation, call: &Situation) -> Result<(), ProbeFailed> {
        match self.ask(operation, call) {
            Decision::Allow { policies, .. } => Err(failed(probe, &format!("was allowed by {}", policies.join(", ")))),
            Decision::Deny { .. } => Ok(()),
        }
    }

    fn must_mask(&self, probe: &'static str, call: &Situation) -> Result<(), ProbeFailed> {
        let Decision::Allow { obligations, .. } = self.ask(Operation::Disclose, call) else { return Ok(()) };
        let kept = |field: &&FieldName| obligations.masked.contains(*field) || obligations.dropped.contains(*field);
        match call.fields.iter().find(|field| !kept(field)) {
            Some(field) => Err(failed(probe, &format!("disclosed `{field}` in the clear"))),
            None => Ok(()),
        }
    }

    /// The question as the road would put it.
    fn ask(&self, operation: Operation, call: &Situation) -> Decision {
        self.policies.decide(&Question {
            operation,
            client: self.client,
            department: self.department,
            dataset: &call.dataset,
            item: &call.item,
            agreement: call.agreement.as_ref(),
            subject_field: &call.dataset.key,
            fields: &call.fields,
            case_present: call.case_present,
            today: self.today,
            hour: HOUR,
            suspicion: call.suspicion,
            origin: &self.department.node,
            manner: Manner::default(),
        })
    }
}

fn failed(probe: &'static str, happened: &str) -> ProbeFailed {
    ProbeFailed { probe, happened: happened.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{agreements, catalog, ledger::Agreed, policy::PolicyFiles};

    /// The catalogue, the agreements and the policies that come with the program.
    fn shipped() -> (Catalog, Agreements, PolicySet) {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let catalog = catalog::load(&root.join("catalogs/guangdong")).unwrap();
        let agreements = agreements::load(&root.join("catalogs/guangdong-agreements.yaml"), &catalog).unwrap();
        (catalog, agreements, PolicySet::load(&root.join("policies")).unwrap())
    }

    #[test]
    fn with_every_lock_open_the_call_goes_through_so_each_probe_tries_one_lock() {
        let (catalog, agreements, policies) = shipped();
        let today = NaiveDate::from_ymd_opt(2026, 11, 24).unwrap();
        let client = PROBE.parse().unwrap();
        for agreement in agreements.iter().filter(|agreement| agreement.is_in_force_on(today)) {
            let item = &catalog.items[agreement.items.first().unwrap()];
            let department = &catalog.departments[&agreement.consumer];
            let bench = Bench { policies: &policies, client: &client, department, today };
            let open = Situation::open(agreement, item, &catalog.datasets[&agreement.dataset], today);
            for operation in [Operation::Verify, Operation::Disclose] {
                let decision = bench.ask(operation, &open);
                assert!(matches!(decision, Decision::Allow { .. }), "{}: {decision:?}", agreement.id);
            }
        }
        assert!(prove_the_locks(&catalog, &agreements, &policies, today).unwrap() > 100);
    }

    /// So many agreements, each another department's, dataset's and item's.
    fn many(catalog: &Catalog, shipped: &Agreements, count: usize) -> Agreements {
        let one = shipped.iter().next().unwrap();
        let uses = catalog.departments.keys().flat_map(|consumer| {
            let datasets = catalog.datasets.keys();
            datasets.flat_map(move |dataset| catalog.items.keys().map(move |item| (consumer, dataset, item)))
        });
        let granted = uses.take(count).enumerate().map(|(number, (consumer, dataset, item))| Agreement {
            id: format!("agr-{number}").parse().unwrap(),
            consumer: consumer.clone(),
            dataset: dataset.clone(),
            items: [item.clone()].into(),
            ..Agreement::clone(one)
        });
        let granted: Vec<_> = granted.collect();
        assert_eq!(granted.len(), count);
        Agreements::default().join(&Agreed { granted, ..Agreed::default() }).unwrap()
    }

    #[test]
    fn a_lock_that_is_open_under_one_agreement_of_hundreds_is_found() {
        const MANY: usize = 400;
        let (catalog, shipped, policies) = shipped();
        let today = NaiveDate::from_ymd_opt(2026, 11, 24).unwrap();
        let agreements = many(&catalog, &shipped, MANY);
        prove_the_locks(&catalog, &agreements, &policies, today).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        for number in [1, MANY / 2 - 1, MANY - 1] {
            let lock = "principal in context.item.department";
            let hole = format!("{lock} || (context has agreement && context.agreement.id == \"agr-{number}\")");
            let texts = PolicyFiles::read(&root.join("policies")).unwrap();
            let texts = texts.texts().into_iter().map(|(name, text)| (name.to_owned(), text.replace(lock, &hole)));
            let holed = PolicyFiles::from_texts(texts).unwrap().set().unwrap();
            let failed = prove_the_locks(&catalog, &agreements, &holed, today).unwrap_err();
            assert_eq!(failed.probe, "item-of-another", "agr-{number}");
        }
    }
}
