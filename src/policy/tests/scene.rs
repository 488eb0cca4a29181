//! A question that the policies allow, in owned parts that a test can spoil one at a time.

use std::{fs, path::PathBuf, sync::LazyLock};

use chrono::NaiveDate;

use crate::{
    catalog::{self, Catalog, Dataset, Department, Disclosure, Field, Item, Sensitivity},
    identifiers::{ClientId, FieldName, NodeId},
    ledger::{Agreement, Budget, Standing},
    policy::{Decision, Manner, Operation, PolicySet, Question},
};

pub(super) static GUANGDONG: LazyLock<Catalog> =
    LazyLock::new(|| catalog::load(&in_repository("catalogs/guangdong")).unwrap());
pub(super) static POLICIES: LazyLock<PolicySet> =
    LazyLock::new(|| PolicySet::load(&in_repository("policies")).unwrap());

pub(super) fn in_repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub(super) fn schema() -> String {
    fs::read_to_string(in_repository("policies/shuqiao.cedarschema")).unwrap()
}

/// The repository's policies, each by itself: its id and its text.
pub(super) fn policies() -> Vec<(String, String)> {
    let mut found = Vec::new();
    for file in ["policies/permits.cedar", "policies/forbids.cedar"] {
        let parsed: cedar_policy::PolicySet = fs::read_to_string(in_repository(file)).unwrap().parse().unwrap();
        let named =
            |policy: &cedar_policy::Policy| (policy.annotation("id").unwrap().to_owned(), policy.to_cedar().unwrap());
        found.extend(parsed.policies().map(named));
    }
    found
}

/// The repository's set with one policy taken out.
pub(super) fn without(id: &str) -> PolicySet {
    let mut kept = policies();
    kept.retain(|(other, _)| other != id);
    assert_eq!(kept.len() + 1, policies().len(), "there is no policy `{id}`");
    set(&kept.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("\n"))
}

/// The repository's set and something besides.
pub(super) fn with(text: &str) -> PolicySet {
    let own: String = policies().into_iter().map(|(_, text)| text + "\n").collect();
    set(&(own + text))
}

pub(super) fn set(text: &str) -> PolicySet {
    let returns = fs::read_to_string(in_repository("policies/returns.cedar")).unwrap();
    let sources = [("a.cedar".to_owned(), text.to_owned()), ("returns.cedar".to_owned(), returns)];
    match PolicySet::from_sources(&schema(), &sources) {
        Ok(set) => set,
        Err(error) => panic!("{:?}", error.complaints()),
    }
}

pub(super) fn name(text: &str) -> FieldName {
    text.parse().unwrap()
}

pub(super) fn names<C: FromIterator<FieldName>>(texts: &[&str]) -> C {
    texts.iter().map(|text| name(text)).collect()
}

pub(super) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

#[derive(Debug)]
pub(super) struct Scene {
    pub(super) operation: Operation,
    pub(super) client: ClientId,
    pub(super) department: Department,
    pub(super) dataset: Dataset,
    pub(super) item: Item,
    pub(super) agreement: Option<Agreement>,
    pub(super) subject_field: FieldName,
    pub(super) fields: Vec<FieldName>,
    pub(super) case_present: bool,
    pub(super) today: NaiveDate,
    pub(super) hour: u32,
    pub(super) suspicion: u8,
    pub(super) origin: NodeId,
    pub(super) manner: Manner,
}

impl Scene {
    /// A claim of name and sex is verified, and may be, for a household registration in Guangzhou.
    pub(super) fn new() -> Self {
        let catalog = &*GUANGDONG;
        let item = &*catalog.items[&"11440100MB9YYY997R3440101001000".parse().unwrap()];
        let department = &catalog.departments["gz-administrative-approval"];
        let dataset = &*catalog.datasets["natural-person"];
        let agreement = Agreement {
            id: "agr-test".parse().unwrap(),
            consumer: department.id.clone(),
            dataset: dataset.id.clone(),
            items: [item.code.clone()].into(),
            compare: names(&["resident_id", "name", "birth_date", "sex", "division", "status"]),
            disclose: names(&["name", "sex", "division"]),
            valid_from: day("2026-01-01"),
            valid_until: day("2026-12-31"),
            budget: Budget { calls_per_second: 1.try_into().unwrap(), calls_per_day: 1 },
            standing: Standing::InForce,
        };
        Self {
            operation: Operation::Verify,
            client: "gz-approval-system".parse().unwrap(),
            department: department.clone(),
            dataset: dataset.clone(),
            item: item.clone(),
            agreement: Some(agreement),
            subject_field: name("resident_id"),
            fields: names(&["name", "sex"]),
            case_present: true,
            today: day("2026-11-24"),
            hour: 10,
            suspicion: 0,
            origin: department.node.clone(),
            manner: Manner::default(),
        }
    }

    pub(super) fn question(&self) -> Question<'_> {
        Question {
            operation: self.operation,
            client: &self.client,
            department: &self.department,
            dataset: &self.dataset,
            item: &self.item,
            agreement: self.agreement.as_ref(),
            subject_field: &self.subject_field,
            fields: &self.fields,
            case_present: self.case_present,
            today: self.today,
            hour: self.hour,
            suspicion: self.suspicion,
            origin: &self.origin,
            manner: self.manner,
        }
    }

    pub(super) fn decided_by(&self, set: &PolicySet) -> Decision {
        set.decide(&self.question())
    }

    pub(super) fn agreement(&mut self) -> &mut Agreement {
        self.agreement.as_mut().unwrap()
    }

    pub(super) fn disclose(&mut self) {
        self.operation = Operation::Disclose;
    }

    pub(super) fn ask(&mut self, fields: &[&str]) {
        self.fields = names(fields);
    }

    pub(super) fn declare(&mut self, field: &str, disclosure: Disclosure) {
        self.field(field).disclosure = disclosure;
    }

    pub(super) fn classify(&mut self, field: &str, level: u8) {
        self.field(field).sensitivity = Sensitivity::new(level).unwrap();
    }

    fn field(&mut self, name: &str) -> &mut Field {
        self.dataset.fields.iter_mut().find(|field| field.name.as_str() == name).unwrap()
    }

    /// The item's materials no longer need the field.
    pub(super) fn no_need_of(&mut self, field: &str) {
        let stand_ins = self.item.materials.iter_mut().flat_map(|material| &mut material.stand_ins);
        stand_ins.for_each(|stand_in| stand_in.fields.retain(|name| name.as_str() != field));
    }
}
