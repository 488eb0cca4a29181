//! Does the schema describe what the node says of a call?
//!
//! A made-up question in each of its forms is put in Cedar's terms under the schema, as a real one never is. A schema that
//! says more, less or other than the node is found when the set is loaded, not as an error in each decision.

use cedar_policy::Schema;
use chrono::NaiveDate;

use super::{Manner, Operation, Question, files::Names};
use crate::{
    catalog::{
        Bilingual, Comparator, Dataset, Department, Disclosure, Field, FieldKind, Format, Item, Listing, MaskStyle,
        Material, OpenAttribute, Opening, Placement, Returns, Sensitivity, Sharing, SharingAttribute, SharingMode,
        StandIn, UpdateCycle,
    },
    identifiers::FieldName,
    ledger::{Agreement, Budget, Standing},
};

/// The reason, where a question does not fit the schema.
pub(super) fn fits(names: &Names, schema: &Schema) -> Result<(), String> {
    let (department, dataset, item, agreement) = (department(), dataset(), item(), agreement());
    let client = parsed("specimen");
    let asked: Vec<FieldName> = names_of_fields();
    for operation in [Operation::Verify, Operation::Disclose] {
        for agreement in [None, Some(&agreement)] {
            let question = Question {
                operation,
                client: &client,
                department: &department,
                dataset: &dataset,
                item: &item,
                agreement,
                subject_field: &dataset.key,
                fields: &asked,
                case_present: true,
                today: NaiveDate::MIN,
                hour: 0,
                suspicion: 0,
                origin: &department.node,
                manner: Manner::default(),
            };
            question.in_cedar(names, Some(schema))?;
        }
    }
    Ok(())
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("a constant of the right form")
}

fn words() -> Bilingual {
    Bilingual { zh: String::new(), en: String::new() }
}

fn names_of_fields<C: FromIterator<FieldName>>() -> C {
    ["key", "never", "compared", "counted", "joined"].into_iter().map(parsed).collect()
}

fn field(name: &str, disclosure: Disclosure) -> Field {
    Field {
        name: parsed(name),
        title: words(),
        element: String::new(),
        kind: FieldKind::Boolean,
        comparator: Comparator::Exact,
        sensitivity: Sensitivity::new(1).expect("1 is a level"),
        disclosure,
        mask: MaskStyle::Whole,
        required: false,
    }
}

fn department() -> Department {
    Department {
        id: parsed("specimen"),
        name: words(),
        credit_code: parsed("11440000000999993T"),
        division: parsed("440000"),
        node: parsed("specimen"),
    }
}

/// With a field in each class that is told apart, so that no set in the context is empty.
fn dataset() -> Dataset {
    Dataset {
        id: parsed("specimen"),
        code: parsed("101001/1"),
        name: words(),
        summary: words(),
        provider: parsed("provider"),
        sharing: Sharing { attribute: SharingAttribute::Unconditional, ground: None },
        update_cycle: UpdateCycle::Irregular,
        sensitivity: Sensitivity::new(1).expect("1 is a level"),
        key: parsed("key"),
        secondary_keys: Vec::new(),
        status: None,
        placement: Placement::default(),
        returns: Returns::default(),
        division: None,
        reject_share_max: 0.0,
        listing: Listing {
            format: Format::Database,
            modes: vec![SharingMode::ServiceInterface],
            opening: Opening { attribute: OpenAttribute::NotOpen, conditions: None },
            published_on: NaiveDate::MIN,
            updated_on: NaiveDate::MIN,
            related: Vec::new(),
        },
        fields: vec![
            field("never", Disclosure::Never),
            field("compared", Disclosure::CompareOnly),
            field("counted", Disclosure::AggregateOnly),
            field("joined", Disclosure::JoinKeyOnly),
        ],
    }
}

fn item() -> Item {
    let stand_in = StandIn { dataset: parsed("specimen"), fields: names_of_fields() };
    Item {
        code: parsed("11440100MB9YYY997R3440101001000"),
        version: 1,
        name: words(),
        department: parsed("specimen"),
        division: parsed("440000"),
        cross_region: false,
        valid_from: NaiveDate::MIN,
        valid_until: None,
        materials: vec![Material { id: parsed("specimen"), name: words(), stand_ins: vec![stand_in] }],
    }
}

fn agreement() -> Agreement {
    Agreement {
        id: parsed("specimen"),
        consumer: parsed("specimen"),
        dataset: parsed("specimen"),
        items: [item().code].into(),
        compare: names_of_fields(),
        disclose: names_of_fields(),
        valid_from: NaiveDate::MIN,
        valid_until: NaiveDate::MAX,
        budget: Budget { calls_per_second: std::num::NonZeroU32::MIN, calls_per_day: 1 },
        standing: Standing::InForce,
    }
}
