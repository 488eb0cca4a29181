//! From what a file says to cases: every name held against the catalogue, the policies and the dataset.
//!
//! A case is laid over the file's `defaults`. What is wrong is complained about where it stands; a mistake in the defaults is
//! one complaint, however many cases it spoils.

use std::collections::BTreeSet;

use chrono::NaiveDate;

use super::{
    Agreed, Case, Expected, Scenario,
    raw::{RawAgreement, RawCase, RawExpectation, RawFile, RawInline, RawOperation, RawSupposition},
};
use crate::{
    catalog::{
        Catalog, Complaint, Dataset, Department, Item, Return, Sensitivity, StandIn,
        complaint::{Path, Position, quoted},
        inspection::Inspection,
        yaml::{self, At},
    },
    identifiers::{DepartmentId, FieldName, ItemCode, NodeId},
    ledger::{Agreement, Budget, Standing},
    policy::{DEFAULT_DENY, Manner, PolicySet, Volume},
};

/// Who calls, where a case does not say, and the agreement it has.
const CLIENT: &str = "policy-test";
const AGREEMENT: &str = "agr-policy-test";
/// The highest level of suspicion.
const SUSPICION_MAX: u8 = 3;
const LAST_HOUR: u32 = 23;

/// The cases of some files, each with its name, in the order in which they are given.
pub fn cases(
    files: &[(String, String)],
    set: &PolicySet,
    catalog: &Catalog,
    agreed: &Agreed<'_>,
) -> Result<Vec<Case>, Vec<Complaint>> {
    let (mut found, mut complaints) = (Vec::new(), Vec::new());
    for (name, text) in files {
        match yaml::read::<RawFile>(name, text) {
            Ok(file) => {
                match (Reader { set, catalog, agreed, inspection: Inspection::new(Vec::new()) }).file(name, &file) {
                    Ok(cases) => found.extend(cases),
                    Err(more) => complaints.extend(more),
                }
            }
            Err(complaint) => complaints.push(complaint),
        }
    }
    if complaints.is_empty() { Ok(found) } else { Err(complaints) }
}

struct Reader<'a> {
    set: &'a PolicySet,
    catalog: &'a Catalog,
    agreed: &'a Agreed<'a>,
    inspection: Inspection,
}

/// A case laid over the defaults of its file.
struct Laid<'a> {
    case: &'a RawCase,
    defaults: &'a RawCase,
    position: Position,
}

impl<'a> Laid<'a> {
    fn said<T>(&self, member: impl Fn(&'a RawCase) -> &'a Option<T>) -> Option<&'a T> {
        member(self.case).as_ref().or_else(|| member(self.defaults).as_ref())
    }
}

impl Reader<'_> {
    fn file(mut self, name: &str, file: &RawFile) -> Result<Vec<Case>, Vec<Complaint>> {
        let root = Path::file(name);
        let list = root.key("cases");
        let mut cases = Vec::new();
        for (index, case) in file.cases.iter().enumerate() {
            let path = list.index(index);
            let laid = Laid { case: &case.value, defaults: &file.defaults, position: case.position };
            if let Some((name, scenario, expected)) = self.case(&path, &laid) {
                let returns = laid.said(|case| &case.operation).is_some_and(|said| said.value == RawOperation::Return);
                let to = returns.then(|| self.handed(&scenario)).flatten();
                cases.push(Case { name, place: path.place(case.position), scenario, to, expected });
            }
        }
        if file.cases.is_empty() {
            self.inspection.complaints.add(&list, Position::START, "there is no case", "Write one, or remove the file");
        }
        match self.inspection.complaints.into_result() {
            Ok(()) => Ok(cases),
            Err(mut complaints) => {
                complaints.dedup_by(|a, b| (a.line, a.column, &a.message) == (b.line, b.column, &b.message));
                Err(complaints)
            }
        }
    }

    fn case(&mut self, path: &Path<'_>, laid: &Laid<'_>) -> Option<(String, Scenario, Expected)> {
        let name = laid.case.name.as_ref().and_then(|name| self.inspection.words(&path.key("name"), name));
        if laid.case.name.is_none() {
            self.missing(path, laid, "name");
        }
        let scenario = self.scenario(path, laid);
        let expected = self.expected(path, laid);
        Some((name?, scenario?, expected?))
    }

    /// The return that a scenario is about: to the node of its department, the fields and the key.
    fn handed(&self, scenario: &Scenario) -> Option<Return> {
        let (department, dataset) = (&scenario.department, &scenario.dataset);
        let node = self.catalog.nodes.get(&department.node)?; // Every department is one of a node.
        let leaves = |name: &FieldName| *name == dataset.key || scenario.fields.contains(name);
        Some(Return {
            node: node.id.clone(),
            division: node.division,
            department: department.id.clone(),
            item: scenario.item.code.clone(),
            fields: dataset.fields.iter().map(|field| &field.name).filter(|name| leaves(name)).cloned().collect(),
        })
    }

    fn missing(&mut self, path: &Path<'_>, laid: &Laid<'_>, key: &str) {
        let message = format!("the case has no `{key}`, nor have the defaults");
        self.inspection.complaints.add(path, laid.position, message, format!("Add `{key}`"));
    }

    fn scenario(&mut self, path: &Path<'_>, laid: &Laid<'_>) -> Option<Scenario> {
        let department = self.required(path, laid, "department", |case| &case.department);
        let department = department.and_then(|name| self.department(&path.key("department"), name));
        let dataset = self.required(path, laid, "dataset", |case| &case.dataset);
        let dataset = dataset.and_then(|name| self.dataset(&path.key("dataset"), name));
        let item = self.required(path, laid, "item", |case| &case.item);
        let item = item.and_then(|code| self.item(&path.key("item"), code));
        let operation = self.required(path, laid, "operation", |case| &case.operation).map(|said| said.value.into());
        let fields = self.required(path, laid, "fields", |case| &case.fields);
        let today = self.required(path, laid, "day", |case| &case.day);
        let today = today.and_then(|day| self.inspection.date(&path.key("day"), day));
        let client = match laid.said(|case| &case.client) {
            Some(client) => self.inspection.parse(&path.key("client"), client),
            None => CLIENT.parse().ok(),
        };
        let (hour, suspicion) = (self.hour(path, laid), self.suspicion(path, laid));
        let (origin, manner) = (self.origin(path, laid), self.manner(path, laid));
        let (department, dataset, item, today) = (department?, dataset?, item?, today?);
        let fields = self.fields(&path.key("fields"), &fields?.value, &dataset);
        let subject_field = match laid.said(|case| &case.subject_field) {
            Some(name) => self.inspection.field(&path.key("subject_field"), name, &dataset).map(|field| &field.name),
            None => Some(&dataset.key),
        };
        let mut scenario = Scenario {
            operation: operation?,
            client: client?,
            subject_field: subject_field?.clone(),
            fields,
            case_present: laid.said(|case| &case.case_given).copied().unwrap_or(true),
            today,
            hour: hour?,
            suspicion: suspicion?,
            origin: origin?.unwrap_or_else(|| department.node.clone()),
            manner: manner?,
            agreement: None,
            department,
            dataset,
            item,
        };
        scenario.agreement = self.agreement(path, laid, &scenario)?;
        if let Some(supposition) = laid.said(|case| &case.suppose) {
            self.suppose(&path.key("suppose"), supposition, &mut scenario);
        }
        Some(scenario)
    }

    fn required<'s, T>(
        &mut self,
        path: &Path<'_>,
        laid: &Laid<'s>,
        key: &str,
        member: impl Fn(&'s RawCase) -> &'s Option<T>,
    ) -> Option<&'s T> {
        let said = laid.said(member);
        if said.is_none() {
            self.missing(path, laid, key);
        }
        said
    }

    fn department(&mut self, path: &Path<'_>, name: &At<String>) -> Option<Department> {
        let found = self.catalog.departments.get(name.value.as_str()).cloned();
        if found.is_none() {
            self.unknown(path, "department", name, self.catalog.departments.keys().map(DepartmentId::as_str));
        }
        found
    }

    fn dataset(&mut self, path: &Path<'_>, name: &At<String>) -> Option<Dataset> {
        let found = self.catalog.datasets.get(name.value.as_str()).map(|dataset| Dataset::clone(dataset));
        if found.is_none() {
            self.unknown(path, "dataset", name, self.catalog.datasets.keys().map(|id| id.as_str()));
        }
        found
    }

    fn item(&mut self, path: &Path<'_>, code: &At<String>) -> Option<Item> {
        let parsed: ItemCode = self.inspection.parse(path, code)?;
        let found = self.catalog.items.get(&parsed).map(|item| Item::clone(item));
        if found.is_none() {
            self.unknown(path, "item", code, self.catalog.items.keys().map(ItemCode::as_str));
        }
        found
    }

    fn unknown<'n>(&mut self, path: &Path<'_>, kind: &str, name: &At<String>, known: impl Iterator<Item = &'n str>) {
        let otherwise = format!("Name a {kind} that there is");
        let remedy = self.inspection.complaints.nearest(&name.value, known, otherwise);
        let message = format!("unknown {kind} {}", quoted(&name.value));
        self.inspection.complaints.add(path, name.position, message, remedy);
    }

    fn hour(&mut self, path: &Path<'_>, laid: &Laid<'_>) -> Option<u32> {
        let Some(hour) = laid.said(|case| &case.hour) else { return Some(10) };
        if hour.value > LAST_HOUR {
            let message = format!("there is no hour {}", hour.value);
            self.inspection.complaints.add(&path.key("hour"), hour.position, message, "Write 0 to 23");
            return None;
        }
        Some(hour.value)
    }

    fn suspicion(&mut self, path: &Path<'_>, laid: &Laid<'_>) -> Option<u8> {
        let Some(level) = laid.said(|case| &case.suspicion) else { return Some(0) };
        if level.value > SUSPICION_MAX {
            let message = format!("there is no suspicion {}", level.value);
            let remedy = "Write 0 (none), 1 (warn), 2 (slow) or 3 (block)";
            self.inspection.complaints.add(&path.key("suspicion"), level.position, message, remedy);
            return None;
        }
        Some(level.value)
    }

    /// The node at which the call came in; nothing where the case does not say. The outer nothing: something was wrong.
    fn origin(&mut self, path: &Path<'_>, laid: &Laid<'_>) -> Option<Option<NodeId>> {
        let Some(name) = laid.said(|case| &case.origin) else { return Some(None) };
        let found = self.catalog.nodes.get(name.value.as_str());
        if found.is_none() {
            self.unknown(&path.key("origin"), "node", name, self.catalog.nodes.keys().map(NodeId::as_str));
        }
        found.map(|node| Some(node.id.clone()))
    }

    fn manner(&mut self, path: &Path<'_>, laid: &Laid<'_>) -> Option<Manner> {
        let volume = match laid.said(|case| &case.volume) {
            None => Volume::default(),
            Some(percent) if Volume::from_percent(percent.value).percent() == percent.value => {
                Volume::from_percent(percent.value)
            }
            Some(percent) => {
                let message = format!("no volume is {} percent", percent.value);
                let remedy = "Write 0 to 100 in steps of ten, as the node says it";
                self.inspection.complaints.add(&path.key("volume"), percent.position, message, remedy);
                return None;
            }
        };
        let given = |member: fn(&RawCase) -> &Option<bool>| laid.said(member).copied().unwrap_or_default();
        Some(Manner {
            channel: laid.said(|case| &case.channel).map(|said| said.value.into()).unwrap_or_default(),
            volume,
            consent_given: given(|case| &case.consent_given),
            operator_given: given(|case| &case.operator_given),
            approver_given: given(|case| &case.approver_given),
        })
    }

    fn fields<C: FromIterator<FieldName>>(&mut self, path: &Path<'_>, names: &[At<String>], dataset: &Dataset) -> C {
        self.inspection.distinct(path, names);
        let field = |(index, name): (usize, &At<String>)| {
            self.inspection.field(&path.index(index), name, dataset).map(|field| field.name.clone())
        };
        names.iter().enumerate().filter_map(field).collect()
    }

    /// The outer nothing means that something was wrong.
    fn agreement(&mut self, path: &Path<'_>, laid: &Laid<'_>, scenario: &Scenario) -> Option<Option<Agreement>> {
        let path = path.key("agreement");
        match laid.said(|case| &case.agreement).map(|said| &said.value) {
            Some(RawAgreement::None) => Some(None),
            Some(RawAgreement::Inline(inline)) => self.inline(&path, inline, scenario).map(Some),
            Some(RawAgreement::Found) | None => {
                let (department, dataset, item) = (&scenario.department.id, &scenario.dataset.id, &scenario.item.code);
                Some((self.agreed)(department, dataset, item, scenario.today).map(|found| Agreement::clone(&found)))
            }
        }
    }

    fn inline(&mut self, path: &Path<'_>, raw: &RawInline, scenario: &Scenario) -> Option<Agreement> {
        let id = match &raw.id {
            Some(id) => self.inspection.parse(&path.key("id"), id),
            None => AGREEMENT.parse().ok(),
        };
        let consumer = match &raw.consumer {
            Some(name) => self.department(&path.key("consumer"), name).map(|department| department.id),
            None => Some(scenario.department.id.clone()),
        };
        let dataset = match &raw.dataset {
            Some(name) => self.dataset(&path.key("dataset"), name).map(|dataset| dataset.id),
            None => Some(scenario.dataset.id.clone()),
        };
        let items: BTreeSet<ItemCode> = match &raw.items {
            Some(codes) => {
                let path = path.key("items");
                let parsed = |(index, code)| self.item(&path.index(index), code).map(|item| item.code);
                codes.iter().enumerate().filter_map(parsed).collect()
            }
            None => [scenario.item.code.clone()].into(),
        };
        let day = |reader: &mut Self, key: &str, said: &Option<At<String>>| match said {
            Some(day) => reader.inspection.date(&path.key(key), day),
            None => Some(scenario.today),
        };
        let valid_from = day(self, "valid_from", &raw.valid_from);
        let valid_until = day(self, "valid_until", &raw.valid_until);
        Some(Agreement {
            id: id?,
            consumer: consumer?,
            dataset: dataset?,
            items,
            compare: self.fields(&path.key("compare"), &raw.compare, &scenario.dataset),
            disclose: self.fields(&path.key("disclose"), &raw.disclose, &scenario.dataset),
            valid_from: valid_from?,
            valid_until: valid_until?,
            budget: Budget { calls_per_second: std::num::NonZeroU32::MIN, calls_per_day: 1 },
            standing: Standing::InForce,
        })
    }

    fn suppose(&mut self, path: &Path<'_>, raw: &RawSupposition, scenario: &mut Scenario) {
        if let Some(sharing) = raw.sharing {
            scenario.dataset.sharing.attribute = sharing.into();
        }
        let item = path.key("item");
        if let Some(name) = &raw.item.department
            && let Some(department) = self.department(&item.key("department"), name)
        {
            scenario.item.department = department.id;
            scenario.item.division = department.division;
        }
        scenario.item.cross_region = raw.item.cross_region.unwrap_or(scenario.item.cross_region);
        let mut day = |key: &str, said: &Option<At<String>>| -> Option<NaiveDate> {
            said.as_ref().and_then(|day| self.inspection.date(&item.key(key), day))
        };
        if let Some(first) = day("valid_from", &raw.item.valid_from) {
            scenario.item.valid_from = first;
        }
        if let Some(last) = day("valid_until", &raw.item.valid_until) {
            scenario.item.valid_until = Some(last);
        }
        if let Some(needs) = &raw.item.needs {
            let fields = self.fields(&item.key("needs"), &needs.value, &scenario.dataset);
            need(&mut scenario.item, &scenario.dataset, fields);
        }
        let fields = path.key("fields");
        for (name, said) in &raw.fields {
            let path = fields.key(name);
            let named = At { value: name.clone(), position: said.position };
            if self.inspection.field(&path, &named, &scenario.dataset).is_none() {
                continue;
            }
            let level = said.value.sensitivity.as_ref().map(|level| (level.position, Sensitivity::new(level.value)));
            if let Some((position, None)) = level {
                let message = "there is no such sensitivity";
                self.inspection.complaints.add(&path.key("sensitivity"), position, message, "Write 1 to 4");
            }
            let declared = scenario.dataset.fields.iter_mut().filter(|field| field.name.as_str() == name);
            for field in declared {
                field.disclosure = said.value.disclosure.map_or(field.disclosure, Into::into);
                field.sensitivity = level.and_then(|(_, level)| level).unwrap_or(field.sensitivity);
            }
        }
    }

    fn expected(&mut self, path: &Path<'_>, laid: &Laid<'_>) -> Option<Expected> {
        let expect = self.required(path, laid, "expect", |case| &case.expect)?;
        let policies = laid.said(|case| &case.policies).map(|said| {
            let path = path.key("policies");
            for (index, id) in said.value.iter().enumerate() {
                let known = || self.set.ids().chain(self.set.return_ids());
                if id.value != DEFAULT_DENY && !known().any(|known| known == id.value) {
                    self.unknown(&path.index(index), "policy", id, known());
                }
            }
            sorted(&said.value)
        });
        let obligations = laid.said(|case| &case.obligations).map(|said| sorted(&said.value));
        let allow = expect.value == RawExpectation::Allow;
        if !allow && obligations.as_ref().is_some_and(|words| !words.is_empty()) {
            let message = "a call that is denied has no obligations";
            self.inspection.complaints.add(&path.key("obligations"), expect.position, message, "Remove `obligations`");
        }
        Some(Expected { allow, policies, obligations })
    }
}

fn sorted(words: &[At<String>]) -> Vec<String> {
    let words: BTreeSet<_> = words.iter().map(|word| word.value.clone()).collect();
    words.into_iter().collect()
}

/// Let the item need these fields of the dataset, and no others of it.
fn need(item: &mut Item, dataset: &Dataset, fields: Vec<FieldName>) {
    for material in &mut item.materials {
        material.stand_ins.retain(|stand_in| stand_in.dataset != dataset.id);
    }
    if let Some(material) = item.materials.first_mut() {
        material.stand_ins.push(StandIn { dataset: dataset.id.clone(), fields });
    }
}
