//! The catalogue, the agreements and the policies that come with the program, taken together as a call takes them.

use std::{collections::BTreeSet, sync::LazyLock};

use chrono::NaiveDate;

use super::{
    call::Asked,
    fixtures::{GUANGDONG, fields, in_repository, names, question, today},
};
use crate::{
    agreements::{self, Agreements},
    catalog::{Dataset, Disclosure, Item},
    identifiers::{FieldName, ItemCode},
    ledger::Agreement,
    policy::{self, Decision, Manner, Operation, PolicySet},
};

static AGREEMENTS: LazyLock<Agreements> =
    LazyLock::new(|| agreements::load(&in_repository("catalogs/guangdong-agreements.yaml"), &GUANGDONG).unwrap());
static POLICIES: LazyLock<PolicySet> = LazyLock::new(|| PolicySet::load(&in_repository("policies")).unwrap());

/// A call as far as it concerns who may ask what.
#[derive(Clone, Debug)]
struct Asking {
    department: &'static str,
    dataset: &'static str,
    item: &'static str,
    operation: Operation,
    fields: &'static [&'static str],
    case_present: bool,
    day: &'static str,
}

const MARRIAGE: Asking = Asking {
    department: "gd-civil-affairs",
    dataset: "natural-person",
    item: "11440000MB9Y00059J2440711001000",
    operation: Operation::Verify,
    fields: &["name", "sex"],
    case_present: true,
    day: "2026-11-24",
};

const FIRM: Asking = Asking {
    department: "gz-administrative-approval",
    dataset: "legal-entity",
    item: "11440100MB9YYY997R3440101002000",
    operation: Operation::Disclose,
    fields: &["name", "status"],
    ..MARRIAGE
};

fn decided(department: &str, dataset: &Dataset, item: &Item, asking: &Asking, fields: &[FieldName]) -> Decision {
    let department = &GUANGDONG.departments[department];
    let today: NaiveDate = asking.day.parse().unwrap();
    let agreement = AGREEMENTS.find(&department.id, &dataset.id, &item.code, today);
    POLICIES.decide(&policy::Question {
        operation: asking.operation,
        client: &"window".parse().unwrap(),
        department,
        dataset,
        item,
        agreement: agreement.map(|agreement| &**agreement),
        subject_field: &dataset.key,
        fields,
        case_present: asking.case_present,
        today,
        hour: 10,
        suspicion: 0,
        origin: &department.node,
        manner: Manner::default(),
    })
}

/// `allow` or `deny`, the policies that decided, and what an allowed call is obliged to.
fn in_words(asking: &Asking) -> String {
    let item = &GUANGDONG.items[&asking.item.parse::<ItemCode>().unwrap()];
    let dataset = &GUANGDONG.datasets[asking.dataset];
    match decided(asking.department, dataset, item, asking, &names::<Vec<_>>(asking.fields)) {
        Decision::Deny { policies, .. } => format!("deny {}", policies.join(" ")),
        Decision::Allow { policies, obligations } => {
            format!("allow {}: {}", policies.join(" "), obligations.words().join(" "))
        }
    }
}

#[test]
fn departments_may_ask_what_was_agreed_and_nothing_else() {
    let table = [
        (MARRIAGE, "allow verify-under-agreement: "),
        (
            Asking { case_present: false, ..MARRIAGE },
            "allow fold-not-found-without-case verify-under-agreement: fold_not_found",
        ),
        (
            Asking { operation: Operation::Disclose, fields: &["name", "status"], ..MARRIAGE },
            "allow disclose-under-agreement: mask:name mask:status",
        ),
        (Asking { operation: Operation::Disclose, ..MARRIAGE }, "deny fields-agreed-for-disclosure"),
        (Asking { fields: &["marital_status"], ..MARRIAGE }, "allow verify-under-agreement: "),
        (Asking { fields: &["marital_status"], case_present: false, ..MARRIAGE }, "deny case-required-for-sensitive"),
        (
            Asking { operation: Operation::Disclose, fields: &["marital_status"], ..MARRIAGE },
            "deny compare-only-not-disclosed fields-agreed-for-disclosure",
        ),
        (Asking { fields: &["phone"], ..MARRIAGE }, "deny fields-agreed-for-comparison fields-needed-by-item"),
        // Its neighbour has an agreement over the same register, for other items.
        (Asking { department: "gd-health", ..MARRIAGE }, "deny agreement-required item-of-caller"),
        (Asking { day: "2025-05-09", ..MARRIAGE }, "deny agreement-in-force item-in-force"),
        (Asking { day: "2028-05-10", ..MARRIAGE }, "deny agreement-in-force"),
        (FIRM, "allow disclose-under-agreement: "),
        (Asking { fields: &["legal_representative"], ..FIRM }, "deny fields-agreed-for-disclosure"),
        // Credit is shared unconditionally, and still for an item and under an agreement only.
        (Asking { dataset: "social-credit", fields: &["dishonest"], ..FIRM }, "allow disclose-under-agreement: "),
        (
            Asking { dataset: "social-credit", fields: &["tax_grade"], ..FIRM },
            "deny fields-agreed-for-disclosure fields-needed-by-item",
        ),
        (
            Asking { dataset: "natural-person", fields: &["name"], ..FIRM },
            "deny agreement-required fields-needed-by-item",
        ),
    ];
    for (asking, expected) in table {
        assert_eq!(in_words(&asking), expected, "{asking:?}");
    }
}

#[test]
fn an_agreement_that_is_not_in_force_is_named_and_nothing_that_is_in_order() {
    let not_today: Vec<_> = AGREEMENTS.iter().filter(|agreement| !agreement.is_in_force_on(today())).collect();
    assert!(not_today.len() >= 3, "there are ended ones and one to come");
    for agreement in not_today {
        for (item, granted) in uses(agreement) {
            let asking = Asking { operation: Operation::Verify, ..MARRIAGE };
            let dataset = &GUANGDONG.datasets[&agreement.dataset];
            let decision = decided(agreement.consumer.as_str(), dataset, item, &asking, &granted.compare);
            let Decision::Deny { policies, .. } = decision else { panic!("{}: allowed", agreement.id) };
            let of_item = (!item.is_in_force_on(today())).then_some("item-in-force");
            let expected: Vec<_> = std::iter::once("agreement-in-force").chain(of_item).collect();
            assert_eq!(policies, expected, "{}", agreement.id);
        }
    }
}

/// What an agreement grants for the sake of one of its items, which need not need all of it.
struct Granted {
    compare: Vec<FieldName>,
    disclose: Vec<FieldName>,
}

fn uses(agreement: &Agreement) -> impl Iterator<Item = (&Item, Granted)> {
    agreement.items.iter().map(|code| {
        let item = &*GUANGDONG.items[code];
        let needed: BTreeSet<_> = item.needed_fields(&agreement.dataset).collect();
        let of = |granted: &BTreeSet<FieldName>| granted.iter().filter(|name| needed.contains(name)).cloned().collect();
        (item, Granted { compare: of(&agreement.compare), disclose: of(&agreement.disclose) })
    })
}

#[test]
fn every_agreement_can_be_used_for_what_it_grants() {
    let mut used = 0;
    for agreement in AGREEMENTS.iter().filter(|agreement| agreement.is_in_force_on(today())) {
        let dataset = &GUANGDONG.datasets[&agreement.dataset];
        for (item, granted) in uses(agreement) {
            for (operation, fields) in [(Operation::Verify, granted.compare), (Operation::Disclose, granted.disclose)] {
                if fields.is_empty() {
                    continue;
                }
                let asking = Asking { operation, ..MARRIAGE };
                let decision = decided(agreement.consumer.as_str(), dataset, item, &asking, &fields);
                let Decision::Allow { obligations, .. } = decision else {
                    panic!("{} for {}: {decision:?}", agreement.id, item.code)
                };
                let hidden = |name: &FieldName| {
                    let (_, field) = dataset.field(name.as_str()).unwrap();
                    operation == Operation::Disclose
                        && (field.disclosure == Disclosure::Masked || field.sensitivity.level() >= 3)
                };
                let expected: BTreeSet<_> = fields.iter().filter(|name| hidden(name)).cloned().collect();
                assert_eq!((obligations.masked, obligations.dropped), (expected, BTreeSet::new()), "{}", agreement.id);
                used += 1;
            }
        }
    }
    assert!(used > 40, "{used} uses are few");
}

#[test]
fn what_is_decided_is_what_was_parsed() {
    // Step 2 hands the very names to step 5 that the catalogue has; a set of other names would be denied there.
    let Asked::Fields(asked) = fields(FIRM.fields) else { panic!("fields") };
    let mut asked = question(Asked::Fields(asked));
    asked.dataset = FIRM.dataset.to_owned();
    asked.item = FIRM.item.to_lowercase();
    asked.subject = vec![("credit_code".to_owned(), super::fixtures::FIRM.to_lowercase())];
    let call = super::fixtures::call(&asked);
    let decision = decided(FIRM.department, &call.dataset, &call.item, &FIRM, &call.fields);
    assert!(matches!(decision, Decision::Allow { .. }), "{decision:?}");
}
