//! Step 2: a question of loose text becomes a call of checked values.

use std::{str::FromStr, sync::Arc};

use chrono::NaiveDate;

use crate::{
    catalog::{Catalog, Dataset, FieldKind, Item},
    identifiers::{
        CaseNo, ConsentRef, CreditCode, DatasetId, DivisionCode, FieldName, IdentifierError, ItemCode, LicenceId,
        Official,
    },
    policy::{Channel, Manner, Operation, Volume},
    problem::{Code, Problem},
    verification::{Claim, ClaimInput},
};

/// Most claims of one call, or fields of one disclosure. No register has more fields than that.
const FIELDS_MAX: usize = 64;
const CASE_REMEDY: &str = "Send your own number of the case: 1 to 64 visible ASCII characters.";
const AUTHORITY_REMEDY: &str = "Name the division that is responsible for the record by its GB/T 2260 code.";
const CONSENT_REMEDY: &str = "Send your reference to the record of the consent: 1 to 64 visible ASCII characters.";
const OFFICIAL_REMEDY: &str = "Send the official's account name at the department: 1 to 64 visible ASCII characters.";
/// Where the claim itself knows nothing better.
const CLAIM_REMEDY: &str = "Send a value that the field can have.";

/// What a door understood of a request: the right shape, nothing checked.
#[derive(Clone, Debug)]
pub struct Question {
    pub dataset: String,
    pub item: String,
    pub case: Option<String>,
    /// The division whose authority is responsible for the record, where the caller knows it.
    pub authority: Option<String>,
    /// The record of the subject's consent, at the caller.
    pub consent: Option<String>,
    /// The official in whose name the system calls, and a second one who approved.
    pub operator: Option<String>,
    pub approver: Option<String>,
    /// Key field and value; exactly one.
    pub subject: Vec<(String, String)>,
    pub asked: Asked,
}

/// What is wanted of the record.
#[derive(Clone, Debug)]
pub enum Asked {
    /// Claims to be held against it: field, operators.
    Claims(Vec<(String, Vec<ClaimInput>)>),
    /// Fields to be disclosed.
    Fields(Vec<String>),
}

/// A call whose every part has been checked against the standards and the catalogue.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) dataset: Arc<Dataset>,
    pub(super) item: Arc<Item>,
    pub(super) case: Option<CaseNo>,
    /// The division whose authority is responsible for the record, as far as call or key tell.
    pub(super) authority: Option<DivisionCode>,
    pub(super) consent: Option<ConsentRef>,
    pub(super) operator: Option<Official>,
    pub(super) approver: Option<Official>,
    pub(super) subject_field: FieldName,
    /// The subject's key in its canonical text. A register value: it goes to the engine and nowhere else.
    pub(super) subject: String,
    /// Fields asked, with their positions in the dataset.
    pub(super) fields: Vec<FieldName>,
    pub(super) positions: Vec<usize>,
    pub(super) wanted: Wanted,
}

#[derive(Clone, Debug)]
pub(super) enum Wanted {
    /// One claim for each of the call's fields, in their order.
    Comparison(Vec<Claim>),
    Values,
}

impl Call {
    pub(super) fn operation(&self) -> Operation {
        match self.wanted {
            Wanted::Comparison(_) => Operation::Verify,
            Wanted::Values => Operation::Disclose,
        }
    }

    pub(super) fn parse(question: &Question, catalog: &Catalog, today: NaiveDate) -> Result<Self, Problem> {
        let dataset = find_dataset(&question.dataset, catalog)?;
        let item = find_item(&question.item, catalog, today)?;
        let case = question.case.as_deref().map(|text| parsed::<CaseNo>(text, "/case", CASE_REMEDY)).transpose()?;
        let named =
            question.authority.as_deref().map(|text| parsed::<DivisionCode>(text, "/authority", AUTHORITY_REMEDY));
        let named = named.transpose()?;
        let consent = question.consent.as_deref();
        let consent = consent.map(|text| parsed::<ConsentRef>(text, "/consent", CONSENT_REMEDY)).transpose()?;
        let (operator, approver) = officials(question)?;
        let (subject_field, subject) = subject(&question.subject, &dataset, today)?;
        let authority = named.or_else(|| issuer(&dataset, &subject_field, &subject));
        let (fields, positions, wanted) = match &question.asked {
            Asked::Claims(claims) => comparisons(claims, &dataset, today)?,
            Asked::Fields(fields) => values(fields, &dataset)?,
        };
        Ok(Self {
            dataset,
            item,
            case,
            consent,
            operator,
            approver,
            authority,
            subject_field,
            subject,
            fields,
            positions,
            wanted,
        })
    }

    /// How the call comes, as policies may know it.
    pub(super) fn manner(&self, channel: Channel, volume: Volume) -> Manner {
        Manner {
            channel,
            volume,
            consent_given: self.consent.is_some(),
            operator_given: self.operator.is_some(),
            approver_given: self.approver.is_some(),
        }
    }
}

/// The official in whose name the system calls, and the second one who approved: two persons, or it is no approval.
fn officials(question: &Question) -> Result<(Option<Official>, Option<Official>), Problem> {
    let read = |text: Option<&str>, pointer: &str| {
        text.map(|text| parsed::<Official>(text, pointer, OFFICIAL_REMEDY)).transpose()
    };
    let operator = read(question.operator.as_deref(), "/operator")?;
    let approver = read(question.approver.as_deref(), "/approver")?;
    let detail = match (&operator, &approver) {
        (None, Some(_)) => "an approver is named, and nobody whose call it is",
        (Some(operator), Some(approver)) if operator.is_same_as(approver) => "the operator cannot approve the own call",
        _ => return Ok((operator, approver)),
    };
    Err(Problem::new(Code::InvalidValue, detail)
        .at("/approver")
        .remedy("Name the official in whose name you call in `operator`, and another one in `approver`."))
}

fn find_dataset(text: &str, catalog: &Catalog) -> Result<Arc<Dataset>, Problem> {
    let id: DatasetId = parsed(text, "/dataset", "Name a dataset by its id, such as `natural-person`.")?;
    catalog.datasets.get(&id).cloned().ok_or_else(|| {
        let known: Vec<_> = catalog.datasets.keys().map(DatasetId::as_str).collect();
        Problem::new(Code::UnknownDataset, format!("dataset `{id}` is not in the catalogue"))
            .at("/dataset")
            .remedy(format!("Ask one of: {}.", known.join(", ")))
    })
}

/// The version of the item that is in force on the day of the call.
fn find_item(text: &str, catalog: &Catalog, today: NaiveDate) -> Result<Arc<Item>, Problem> {
    let code: ItemCode = parsed(text, "/item", "Name the item by its 31-character implementation code.")?;
    catalog.item_on(&code, today).cloned().ok_or_else(|| {
        Problem::new(Code::UnknownItem, format!("service item `{code}` is not in the catalogue"))
            .at("/item")
            .remedy("Name the 31-character implementation code of an item that this node knows.")
    })
}

fn subject(given: &[(String, String)], dataset: &Dataset, today: NaiveDate) -> Result<(FieldName, String), Problem> {
    let keys = || {
        let names: Vec<_> =
            std::iter::once(&dataset.key).chain(&dataset.secondary_keys).map(FieldName::as_str).collect();
        format!("Name the subject by one of: {}.", names.join(", "))
    };
    let [(name, text)] = given else {
        let detail = format!("the subject is named by {} fields, not by one", given.len());
        return Err(Problem::new(Code::InvalidValue, detail).at("/subject").remedy(keys()));
    };
    let pointer = pointer("/subject", name);
    let field = match dataset.field(name) {
        Some((_, field)) if dataset.is_key(&field.name) => field,
        _ => {
            let detail = format!("`{}` has no key {}", dataset.id, quoted(name));
            return Err(Problem::new(Code::UnknownField, detail).at(pointer).remedy(keys()));
        }
    };
    let value = field.kind.parse(text, today).map_err(|error| {
        Problem::new(Code::InvalidValue, error.reason).at(pointer).remedy("Check the number against the document.")
    })?;
    Ok((field.name.clone(), value.as_text().into_owned()))
}

/// A licence names its issuer. No other number names who is responsible for the record now.
fn issuer(dataset: &Dataset, field: &FieldName, subject: &str) -> Option<DivisionCode> {
    dataset.field(field.as_str()).filter(|(_, field)| field.kind == FieldKind::LicenceId)?;
    let licence: LicenceId = subject.parse().ok()?;
    let division = match licence.issuer().parse::<CreditCode>() {
        Ok(issuer) => issuer.division_digits().to_owned(),
        Err(_) => licence.issuer().to_owned(),
    };
    division.parse().ok()
}

type Fields = (Vec<FieldName>, Vec<usize>, Wanted);

fn comparisons(given: &[(String, Vec<ClaimInput>)], dataset: &Dataset, today: NaiveDate) -> Result<Fields, Problem> {
    check_count(given.len(), "/claims")?;
    let (mut fields, mut positions, mut claims) = (Vec::new(), Vec::new(), Vec::new());
    for (name, inputs) in given {
        let pointer = pointer("/claims", name);
        let (position, field) = find_field(name, dataset, &pointer)?;
        let claim = Claim::parse(field, inputs, today).map_err(|error| {
            let remedy = error.remedy().unwrap_or_else(|| CLAIM_REMEDY.to_owned());
            Problem::new(error.code(), error.to_string()).at(pointer).remedy(remedy)
        })?;
        fields.push(field.name.clone());
        positions.push(position);
        claims.push(claim);
    }
    Ok((fields, positions, Wanted::Comparison(claims)))
}

fn values(given: &[String], dataset: &Dataset) -> Result<Fields, Problem> {
    check_count(given.len(), "/fields")?;
    let (mut fields, mut positions) = (Vec::new(), Vec::new());
    for (number, name) in given.iter().enumerate() {
        let pointer = format!("/fields/{number}");
        let (position, field) = find_field(name, dataset, &pointer)?;
        if fields.contains(&field.name) {
            return Err(Problem::new(Code::InvalidValue, format!("field `{name}` is asked twice"))
                .at(pointer)
                .remedy("Name each field once."));
        }
        fields.push(field.name.clone());
        positions.push(position);
    }
    Ok((fields, positions, Wanted::Values))
}

fn check_count(count: usize, pointer: &str) -> Result<(), Problem> {
    match count {
        1..=FIELDS_MAX => Ok(()),
        0 => Err(Problem::new(Code::InvalidValue, "nothing is asked").at(pointer).remedy("Name at least one field.")),
        _ => Err(Problem::new(Code::InvalidValue, format!("more than {FIELDS_MAX} fields are asked"))
            .at(pointer)
            .remedy("Ask for the others in a second call.")),
    }
}

fn find_field<'a>(
    name: &str,
    dataset: &'a Dataset,
    pointer: &str,
) -> Result<(usize, &'a crate::catalog::Field), Problem> {
    dataset.field(name).ok_or_else(|| {
        let known: Vec<_> = dataset.fields.iter().map(|field| field.name.as_str()).collect();
        Problem::new(Code::UnknownField, format!("`{}` has no field {}", dataset.id, quoted(name)))
            .at(pointer)
            .remedy(format!("Its fields are: {}.", known.join(", ")))
    })
}

fn parsed<T: FromStr<Err = IdentifierError>>(text: &str, pointer: &str, remedy: &str) -> Result<T, Problem> {
    text.parse()
        .map_err(|error: IdentifierError| Problem::new(Code::InvalidValue, error.reason).at(pointer).remedy(remedy))
}

/// A name of the caller's own, where it could be a field's. What could not be one is not repeated: it may be somebody's
/// number, a line break or a book.
fn quoted(name: &str) -> String {
    match name.parse::<FieldName>() {
        Ok(name) => format!("`{name}`"),
        Err(_) => "of that name".to_owned(),
    }
}

/// A JSON pointer (RFC 6901) to a member named by the caller; to its parent, where the name is not to be repeated. The
/// name of a field has nothing in it that a pointer would have to escape.
fn pointer(parent: &str, member: &str) -> String {
    match member.parse::<FieldName>() {
        Ok(name) => format!("{parent}/{name}"),
        Err(_) => parent.to_owned(),
    }
}
