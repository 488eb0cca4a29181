//! What is put to the policies.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fmt::Display,
};

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression as Term, Schema,
};
use chrono::NaiveDate;

use super::{Manner, files::Names};
use crate::{
    catalog::{Dataset, Department, Disclosure, Item, SharingAttribute},
    identifiers::{ClientId, FieldName, NodeId},
    ledger::Agreement,
};

/// The highest level of sensitivity.
const MOST_SENSITIVE: u8 = 4;

/// What a caller wants to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Operation {
    Verify,
    Disclose,
}

impl Operation {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Disclose => "disclose",
        }
    }
}

/// One question: may this client do this to these fields, for the sake of this item?
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub operation: Operation,
    pub client: &'a ClientId,
    /// The client's department.
    pub department: &'a Department,
    pub dataset: &'a Dataset,
    pub item: &'a Item,
    /// The agreement of this department, dataset and item, if there is one; it may have lapsed.
    pub agreement: Option<&'a Agreement>,
    pub subject_field: &'a FieldName,
    /// Fields compared or disclosed.
    pub fields: &'a [FieldName],
    /// Has the caller named its case?
    pub case_present: bool,
    /// The day in China.
    pub today: NaiveDate,
    /// The hour of that day.
    pub hour: u32,
    /// How much the client's calls look like a walk through the register: 0 nothing, 1 warn, 2 slow, 3 block.
    pub suspicion: u8,
    /// The node at which the call came in.
    pub origin: &'a NodeId,
    pub manner: Manner,
}

/// A question in Cedar's terms.
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) entities: Entities,
}

impl Question<'_> {
    /// Put the question in Cedar's terms. The reason, where Cedar does not take it.
    ///
    /// With a schema Cedar checks every value against it, which costs half of a decision again. So a set is held against
    /// it once, when it is loaded (`specimen`); after that the values below have its types by construction.
    pub(super) fn in_cedar(&self, names: &Names, schema: Option<&Schema>) -> Result<Asked, String> {
        Ok(Asked { request: self.request(names, schema)?, entities: self.entities(names, schema)? })
    }

    /// Who asks for what, with everything that policies may look at besides the two.
    pub(super) fn request(&self, names: &Names, schema: Option<&Schema>) -> Result<Request, String> {
        let action = match self.operation {
            Operation::Verify => names.verify.clone(),
            Operation::Disclose => names.disclose.clone(),
        };
        let (client, dataset) =
            (uid(&names.client, self.client.as_str()), uid(&names.dataset, self.dataset.id.as_str()));
        let carrier = uid(&names.department, self.item.department.as_str());
        let context = Context::from_pairs(self.context(carrier)?).map_err(in_words)?;
        Request::new(client, action, dataset, context, schema).map_err(in_words)
    }

    /// The client and the dataset, as policies may look at them.
    pub(super) fn entities(&self, names: &Names, schema: Option<&Schema>) -> Result<Entities, String> {
        let (client, dataset) =
            (uid(&names.client, self.client.as_str()), uid(&names.dataset, self.dataset.id.as_str()));
        let department = uid(&names.department, self.department.id.as_str());
        // The department itself needs no entity: it is known by its id, and what is said of it is said of its client.
        let place = HashMap::from([
            ("division".to_owned(), text(self.department.division.as_str())),
            ("node".to_owned(), text(self.department.node.as_str())),
        ]);
        let caller = Entity::new(client, place, HashSet::from([department])).map_err(in_words)?;
        let provider = uid(&names.department, self.dataset.provider.as_str());
        let mut resource = of_dataset(self.dataset, provider);
        resource.insert("by_division".to_owned(), Term::new_bool(self.dataset.division.is_some()));
        let resource = Entity::new(dataset, resource, HashSet::new()).map_err(in_words)?;
        Entities::from_entities([caller, resource], schema).map_err(in_words)
    }

    fn context(&self, carrier: EntityUid) -> Result<Vec<(String, Term)>, String> {
        let asked: BTreeSet<&FieldName> = self.fields.iter().chain([self.subject_field]).collect();
        let declared: Vec<_> =
            asked.iter().filter_map(|name| self.dataset.field(name.as_str())).map(|(_, field)| field).collect();
        let of_class = |class: Disclosure| {
            let fields = declared.iter().filter(|field| field.disclosure == class);
            set(fields.map(|field| field.name.as_str()))
        };
        // A field that the catalogue does not know counts as the most sensitive.
        let level = declared.iter().map(|field| field.sensitivity.level()).max();
        let sensitivity = level.filter(|_| declared.len() == asked.len()).unwrap_or(MOST_SENSITIVE);
        let mut context = vec![
            ("item".to_owned(), self.item_term(carrier)?),
            ("subject_field".to_owned(), text(self.subject_field.as_str())),
            ("fields".to_owned(), set(self.fields.iter().map(FieldName::as_str))),
            ("asked".to_owned(), set(asked.iter().map(|name| name.as_str()))),
            ("never".to_owned(), of_class(Disclosure::Never)),
            ("compare_only".to_owned(), of_class(Disclosure::CompareOnly)),
            ("aggregate_only".to_owned(), of_class(Disclosure::AggregateOnly)),
            ("join_key_only".to_owned(), of_class(Disclosure::JoinKeyOnly)),
            ("sensitivity".to_owned(), Term::new_long(sensitivity.into())),
            ("case_given".to_owned(), Term::new_bool(self.case_present)),
            ("hour".to_owned(), Term::new_long(self.hour.into())),
            ("suspicion".to_owned(), Term::new_long(self.suspicion.into())),
            ("origin".to_owned(), text(self.origin.as_str())),
            ("channel".to_owned(), text(self.manner.channel.as_str())),
            ("volume".to_owned(), Term::new_long(self.manner.volume.percent().into())),
            ("consent_given".to_owned(), Term::new_bool(self.manner.consent_given)),
            ("operator_given".to_owned(), Term::new_bool(self.manner.operator_given)),
            ("approver_given".to_owned(), Term::new_bool(self.manner.approver_given)),
        ];
        if let Some(agreement) = self.agreement {
            context.push(("agreement".to_owned(), self.agreement_term(agreement)?));
        }
        Ok(context)
    }

    fn item_term(&self, carrier: EntityUid) -> Result<Term, String> {
        record([
            ("code", text(self.item.code.as_str())),
            ("department", Term::new_entity_uid(carrier)),
            ("division", text(self.item.division.as_str())),
            ("cross_region", Term::new_bool(self.item.cross_region)),
            ("in_force", Term::new_bool(self.item.is_in_force_on(self.today))),
            ("needed", set(self.item.needed_fields(&self.dataset.id).map(FieldName::as_str))),
        ])
    }

    fn agreement_term(&self, agreement: &Agreement) -> Result<Term, String> {
        // An agreement of somebody else, or over another dataset, covers nothing here.
        let ours = agreement.consumer == self.department.id && agreement.dataset == self.dataset.id;
        record([
            ("id", text(agreement.id.as_str())),
            ("in_force", Term::new_bool(agreement.is_in_force_on(self.today))),
            ("covers_item", Term::new_bool(ours && agreement.items.contains(&self.item.code))),
            ("compare", set(agreement.compare.iter().map(FieldName::as_str))),
            ("disclose", set(agreement.disclose.iter().map(FieldName::as_str))),
        ])
    }
}

fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

/// What policies of every kind may look at of a dataset.
pub(super) fn of_dataset(dataset: &Dataset, provider: EntityUid) -> HashMap<String, Term> {
    HashMap::from([
        ("provider".to_owned(), Term::new_entity_uid(provider)),
        ("sharing".to_owned(), text(sharing(dataset.sharing.attribute))),
        ("sensitivity".to_owned(), Term::new_long(dataset.sensitivity.level().into())),
    ])
}

fn sharing(attribute: SharingAttribute) -> &'static str {
    match attribute {
        SharingAttribute::Unconditional => "unconditional",
        SharingAttribute::Conditional => "conditional",
        SharingAttribute::NotShared => "not_shared",
    }
}

pub(super) fn text(value: &str) -> Term {
    Term::new_string(value.to_owned())
}

pub(super) fn set<'a>(values: impl Iterator<Item = &'a str>) -> Term {
    Term::new_set(values.map(text))
}

fn record<const N: usize>(members: [(&str, Term); N]) -> Result<Term, String> {
    Term::new_record(members.map(|(name, term)| (name.to_owned(), term))).map_err(in_words)
}

pub(super) fn in_words(error: impl Display) -> String {
    error.to_string()
}
