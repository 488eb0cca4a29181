//! The declared file in, a desk and upstreams that hold together out. All complaints are collected.

use std::{
    collections::BTreeMap,
    path::{Path as FilePath, PathBuf},
    sync::Arc,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use url::Url;

use super::{
    Manner, Uplink, UplinkError,
    ask::{self, Upstream},
    proof::{BodyProof, Caller, Desk},
    raw::{RawBodyProof, RawCaller, RawFile, RawOnce, RawService, RawUpstream, RawVocabulary},
    secret,
    service::Service,
    vocabulary::Vocabulary,
    word::Word,
};
use crate::{
    catalog::{
        Catalog, Dataset, Field,
        complaint::{Path, quoted},
        inspection::Inspection,
        yaml::{self, At},
    },
    config::encrypted_or_here,
    identifiers::{ClientId, DatasetId, FieldName, ItemCode},
    keys::SharedKey,
};

const SKEW_S: u32 = 120;
/// Longer, a stolen signature would be good for too long, and too much would have to be remembered.
const SKEW_S_MAX: u32 = 600;
const TIMEOUT_MS: u32 = 3_000;
const TIMEOUT_MS_MAX: u32 = 10_000;
const RESULT: &str = "/data/result";
const NAME_REMEDY: &str = "Write 1 to 128 ASCII letters, digits or `-_.@`";

/// Read the file that `uplink.file` names, with the keys that it names, and hold it against the catalogue.
///
/// What was signed before `clock`'s now is not taken by the desk.
pub fn load(file: &FilePath, catalog: &Catalog, clock: fn() -> DateTime<Utc>) -> Result<Uplink, UplinkError> {
    let text = std::fs::read_to_string(file).map_err(|source| UplinkError::File { path: file.to_owned(), source })?;
    let name = file.display().to_string();
    let inconsistent = |complaints| UplinkError::Inconsistent { complaints };
    let raw: RawFile = yaml::read(&name, &text).map_err(|complaint| inconsistent(vec![complaint]))?;
    let http = ask::client().map_err(|reason| UplinkError::Client { reason })?;
    let folder = file.parent().unwrap_or(FilePath::new(".")).to_owned();
    let mut reading =
        Reading { inspection: Inspection::new(Vec::new()), folder, catalog, vocabularies: BTreeMap::new() };
    let uplink = reading.file(&Path::file(&name), &raw, &http, clock);
    reading.inspection.complaints.into_result().map_err(inconsistent)?;
    Ok(uplink)
}

/// The JSON Schema of the file, for editors.
pub fn json_schema() -> serde_json::Value {
    schemars::schema_for!(RawFile).to_value()
}

struct Reading<'a> {
    inspection: Inspection,
    /// Relative paths of keys start here.
    folder: PathBuf,
    catalog: &'a Catalog,
    /// None: it was complained of.
    vocabularies: BTreeMap<String, Option<Arc<Vocabulary>>>,
}

impl Reading<'_> {
    fn file(&mut self, root: &Path<'_>, raw: &RawFile, http: &reqwest::Client, clock: fn() -> DateTime<Utc>) -> Uplink {
        let list = root.key("vocabularies");
        for (index, one) in raw.vocabularies.iter().enumerate() {
            self.vocabulary(&list.index(index), &one.value);
        }
        let mut desk = Desk { started: clock(), ..Desk::default() };
        let list = root.key("callers");
        for (index, one) in raw.callers.iter().enumerate() {
            let path = list.index(index);
            let name = (one.value.manner, one.value.id.value.clone());
            self.once(&path.key("id"), &one.value.id, desk.callers.contains_key(&name));
            if let Some(caller) = self.caller(&path, &one.value) {
                desk.callers.insert(name, caller);
            }
        }
        let list = root.key("services");
        for (index, one) in raw.services.iter().enumerate() {
            let path = list.index(index);
            let Some(manner) = one.value.manner else {
                let remedy = "Add `manner: national` or `manner: tif`";
                self.inspection.complaints.add(&path, one.position, "the key `manner` is missing", remedy);
                continue;
            };
            let name = (manner, one.value.id.value.clone());
            self.once(&path.key("id"), &one.value.id, desk.services.contains_key(&name));
            if let Some(service) = self.service(&path, &one.value) {
                desk.services.insert(name, service);
            }
        }
        let (list, mut upstreams) = (root.key("upstreams"), Vec::<Upstream>::new());
        for (index, one) in raw.upstreams.iter().enumerate() {
            let path = list.index(index);
            let twice = upstreams.iter().any(|known| known.name() == one.value.name.value);
            self.once(&path.key("name"), &one.value.name, twice);
            upstreams.extend(self.upstream(&path, &one.value, http, clock));
        }
        Uplink { desk, upstreams }
    }

    fn vocabulary(&mut self, path: &Path<'_>, raw: &RawVocabulary) {
        let name = &raw.name.value;
        self.once(&path.key("name"), &raw.name, self.vocabularies.contains_key(name));
        let codes = Word::ALL.into_iter().map(|word| (word, raw.codes.of(word).value.clone())).collect();
        let read = Vocabulary::new(name, &codes).map(Arc::new);
        if let Err(found) = &read {
            let codes = path.key("codes");
            for one in found {
                let position = raw.codes.of(one.word()).position;
                let remedy = "Give it a code of its own, or `[]` where the envelope is to say it";
                self.inspection.complaints.add(&codes.key(one.word().as_str()), position, one.to_string(), remedy);
            }
        }
        self.vocabularies.insert(name.clone(), read.ok());
    }

    fn caller(&mut self, path: &Path<'_>, raw: &RawCaller) -> Option<Caller> {
        let client = self.inspection.parse::<ClientId>(&path.key("client"), &raw.client);
        let named = self.name(&path.key("id"), &raw.id);
        let two_steps = self.two_steps(path, raw.manner, raw.two_steps, &raw.key_file);
        let key = self.key(&path.key("key_file"), &raw.key_file, two_steps);
        let skew = self.number(&path.key("skew_s"), raw.skew_s.as_ref(), SKEW_S, (1, SKEW_S_MAX));
        Some(Caller {
            client: client?,
            key: named.and(key)?,
            two_steps,
            body: match raw.body.unwrap_or(RawBodyProof::Nothing) {
                RawBodyProof::Nothing => BodyProof::Nothing,
                RawBodyProof::Digest => BodyProof::Digest,
                RawBodyProof::Signature => BodyProof::Signature,
            },
            tuple_once: matches!(raw.once, Some(RawOnce::Tuple)),
            skew: TimeDelta::seconds(i64::from(skew?)),
            remembered: Default::default(),
        })
    }

    fn service(&mut self, path: &Path<'_>, raw: &RawService) -> Option<Service> {
        let named = self.name(&path.key("id"), &raw.id);
        let item = self.inspection.parse::<ItemCode>(&path.key("item"), &raw.item);
        let dataset = self.dataset(&path.key("dataset"), &raw.dataset);
        let subject = self.members(&path.key("subject"), &raw.subject, dataset.as_deref());
        let claims = self.members(&path.key("claims"), &raw.claims, dataset.as_deref());
        let vocabulary = self.named_vocabulary(&path.key("vocabulary"), &raw.vocabulary);
        let [subject] = <[_; 1]>::try_from(subject?).ok().or_else(|| {
            let message = "the subject is named by one member";
            self.inspection.complaints.add(&path.key("subject"), raw.subject.position, message, "Name one key field");
            None
        })?;
        let (dataset, claims) = (dataset?, claims?);
        if !dataset.is_key(&subject.1) {
            let message = format!("`{}` is no key of `{}`", subject.1, dataset.id);
            let remedy = format!("Name a key, such as `{}`", dataset.key);
            self.inspection.complaints.add(&path.key("subject"), raw.subject.position, message, remedy);
        }
        let case = raw.case.as_ref().map(|case| case.value.clone());
        let members = claims.iter().map(|(member, _)| member).chain(&case);
        let mut members: Vec<_> = std::iter::once(&subject.0).chain(members).collect();
        members.sort();
        if members.windows(2).any(|pair| pair[0] == pair[1]) {
            let message = "a member of the body stands for two things";
            self.inspection.complaints.add(&path.key("claims"), raw.claims.position, message, "Name each once");
        }
        let (id, item) = (named?, item?);
        Some(Service { id, dataset: dataset.id.clone(), item, subject, claims, case, vocabulary: vocabulary? })
    }

    fn upstream(
        &mut self,
        path: &Path<'_>,
        raw: &RawUpstream,
        http: &reqwest::Client,
        clock: fn() -> DateTime<Utc>,
    ) -> Option<Upstream> {
        let id = self.name(&path.key("id"), &raw.id);
        let two_steps = self.two_steps(path, raw.manner, raw.two_steps, &raw.key_file);
        let key = self.key(&path.key("key_file"), &raw.key_file, two_steps);
        let url = self.address(&path.key("url"), &raw.url);
        let refresh_url = match (&raw.refresh_url, two_steps) {
            (Some(text), true) => self.address(&path.key("refresh_url"), text).map(Some),
            (None, false) => Some(None),
            (Some(text), false) => {
                let (path, message) = (path.key("refresh_url"), "this upstream is called without a secret");
                self.inspection.complaints.add(&path, text.position, message, "Remove it");
                None
            }
            (None, true) => {
                let (message, remedy) =
                    ("the key `refresh_url` is missing", "Say where secrets are got, or `two_steps: false`");
                self.inspection.complaints.add(path, raw.url.position, message, remedy);
                None
            }
        };
        let timeout = self.number(&path.key("timeout_ms"), raw.timeout_ms.as_ref(), TIMEOUT_MS, (10, TIMEOUT_MS_MAX));
        let result = raw.result.as_ref().map_or(RESULT, |result| result.value.as_str());
        if let Some(said) = raw.result.as_ref().filter(|said| !said.value.starts_with('/')) {
            let message = format!("{} is no JSON pointer", quoted(&said.value));
            self.inspection.complaints.add(&path.key("result"), said.position, message, "Begin it with `/`");
        }
        let list = path.key("services");
        let services: Vec<_> = raw.services.iter().enumerate().collect();
        let services = services.into_iter().map(|(index, one)| {
            let path = list.index(index);
            if one.value.manner.is_some_and(|manner| manner != raw.manner) {
                let message = "the service has another manner than its upstream";
                self.inspection.complaints.add(&path, one.position, message, "Remove `manner`");
            }
            self.service(&path, &one.value)
        });
        let services = services.collect::<Vec<_>>().into_iter().collect::<Option<Vec<_>>>();
        Some(Upstream::new(ask::Parts {
            name: raw.name.value.clone(),
            manner: raw.manner,
            id: id?,
            key: key?,
            url: url?,
            refresh_url: refresh_url?,
            result: result.to_owned(),
            timeout: Duration::from_millis(u64::from(timeout?)),
            services: services?,
            http: http.clone(),
            clock,
        }))
    }

    fn once(&mut self, path: &Path<'_>, name: &At<String>, known: bool) {
        if known {
            let message = format!("{} is declared twice", quoted(&name.value));
            self.inspection.complaints.add(path, name.position, message, "Remove one of the two");
        }
    }

    /// A name that goes into a signed header.
    fn name(&mut self, path: &Path<'_>, text: &At<String>) -> Option<String> {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.@".contains(&byte);
        if (1..=128).contains(&text.value.len()) && text.value.bytes().all(fits) {
            return Some(text.value.clone());
        }
        let message = format!("{} cannot stand in a header that is signed", quoted(&text.value));
        self.inspection.complaints.add(path, text.position, message, NAME_REMEDY);
        None
    }

    fn two_steps(&mut self, path: &Path<'_>, manner: Manner, said: Option<bool>, place: &At<String>) -> bool {
        if manner == Manner::Tif && said == Some(true) {
            let message = "the TIF manner has no secret to be got first";
            self.inspection.complaints.add(&path.key("two_steps"), place.position, message, "Remove `two_steps`");
        }
        manner == Manner::National && said.unwrap_or(true)
    }

    fn key(&mut self, path: &Path<'_>, file: &At<String>, two_steps: bool) -> Option<SharedKey> {
        match SharedKey::load(&self.folder.join(&file.value)) {
            Ok(key) if two_steps && !secret::can_seal(key.as_bytes()) => {
                let message =
                    format!("the key in {} encrypts no secret: AES takes 16 or 32 characters", quoted(&file.value));
                self.inspection.complaints.add(
                    path,
                    file.position,
                    message,
                    "Agree upon another, or on `two_steps: false`",
                );
                None
            }
            Ok(key) => Some(key),
            Err(error) => {
                let (message, remedy) = (error.to_string(), "Put the key there, with mode 600");
                self.inspection.complaints.add(path, file.position, message, remedy);
                None
            }
        }
    }

    /// Where questions about persons go: encrypted, unless it stays on this machine.
    fn address(&mut self, path: &Path<'_>, text: &At<String>) -> Option<Url> {
        match encrypted_or_here(&text.value, "questions over plain `http` can be read and changed on the way") {
            Ok(url) => Some(url),
            Err(reason) => {
                let (message, remedy) =
                    reason.split_once(". ").unwrap_or((&reason, "Write such as `https://host/path`"));
                self.inspection.complaints.add(path, text.position, message, remedy);
                None
            }
        }
    }

    fn number(&mut self, path: &Path<'_>, said: Option<&At<u32>>, usual: u32, bounds: (u32, u32)) -> Option<u32> {
        let Some(said) = said else { return Some(usual) };
        let (least, most) = bounds;
        if (least..=most).contains(&said.value) {
            return Some(said.value);
        }
        let message = format!("{} is out of bounds", said.value);
        self.inspection.complaints.add(path, said.position, message, format!("Set it from {least} to {most}"));
        None
    }

    fn dataset(&mut self, path: &Path<'_>, text: &At<String>) -> Option<Arc<Dataset>> {
        let id = self.inspection.parse::<DatasetId>(path, text)?;
        let found = self.catalog.datasets.get(&id).cloned();
        if found.is_none() {
            let known = self.catalog.datasets.keys().map(DatasetId::as_str);
            let remedy = self.inspection.complaints.nearest(id.as_str(), known, "Name a dataset of the catalogue");
            self.inspection.complaints.add(path, text.position, format!("unknown dataset `{id}`"), remedy);
        }
        found
    }

    /// Members of a body and the fields that they are.
    fn members(
        &mut self,
        path: &Path<'_>,
        pairs: &At<yaml::Ordered>,
        dataset: Option<&Dataset>,
    ) -> Option<Vec<(String, FieldName)>> {
        let (mut found, mut sound) = (Vec::<(String, FieldName)>::new(), !pairs.value.0.is_empty());
        if !sound {
            self.inspection.complaints.add(path, pairs.position, "no member is named", "Name one");
        }
        for (member, field) in &pairs.value.0 {
            let known = dataset?.field(&field.value).map(|(_, field): (usize, &Field)| field.name.clone());
            match known {
                Some(name) if !found.iter().any(|(_, other)| *other == name) => {
                    found.push((member.value.clone(), name))
                }
                Some(name) => {
                    sound = false;
                    let message = format!("field `{name}` has two members");
                    self.inspection.complaints.add(path, field.position, message, "Name each field once");
                }
                None => {
                    sound = false;
                    let names = dataset?.fields.iter().map(|field| field.name.as_str());
                    let remedy = self.inspection.complaints.nearest(&field.value, names, "Name a field of the dataset");
                    let message = format!("unknown field {}", quoted(&field.value));
                    self.inspection.complaints.add(&path.key(&member.value), field.position, message, remedy);
                }
            }
        }
        sound.then_some(found)
    }

    fn named_vocabulary(&mut self, path: &Path<'_>, text: &At<String>) -> Option<Arc<Vocabulary>> {
        if let Some(known) = self.vocabularies.get(&text.value) {
            return known.clone();
        }
        let known = self.vocabularies.keys().map(String::as_str);
        let remedy = self.inspection.complaints.nearest(&text.value, known, "Declare it under `vocabularies`");
        let message = format!("unknown vocabulary {}", quoted(&text.value));
        self.inspection.complaints.add(path, text.position, message, remedy);
        None
    }
}
