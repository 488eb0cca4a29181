//! Step one: exactly what was said, and where. File, then environment, then flags; the later one wins.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt, fs,
    path::{Path, PathBuf},
};

use figment::{
    Figment, Metadata, Profile, Provider, Source,
    providers::{Format, Toml},
    value::{Dict, Map, Num, Tag, Value},
};

use super::{
    Complaint, ConfigError,
    key::{Key, VARIABLE_PREFIX},
    known_keys,
    tables::StoreVariables,
};

/// Variables with our prefix that the command line reads, because they say where the settings are.
const NOT_SETTINGS: &[&str] = &["SHUQIAO_CONFIG", "SHUQIAO_DIR"];
/// Variables of any S3 client; secrets among them, so they are taken as they are and never shown.
const STORE_PREFIX: &str = "AWS_";
/// How alike two names must be (Jaro-Winkler, 0 to 1) for one to be suggested instead of the other.
const ALIKE: f64 = 0.8;

/// Where a value was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(PathBuf),
    /// Name of the environment variable.
    Variable(String),
    /// Name of the command-line flag, such as `--listen`.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.pad("default"),
            Self::File(path) => f.pad(&format!("file {}", path.display())),
            Self::Variable(name) => f.pad(&format!("variable {name}")),
            Self::Flag(name) => f.pad(&format!("flag {name}")),
        }
    }
}

/// A value that the command line was given by a flag of its own.
#[derive(Clone, Debug)]
pub struct Override {
    /// `--listen`, for messages.
    pub flag: &'static str,
    /// `http.listen`.
    pub key: &'static str,
    pub value: String,
}

/// A value before it is checked.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Loose {
    Text(String),
    Number(i128),
    List(Vec<Loose>),
    /// What no key accepts, by its name.
    Other(&'static str),
}

#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) value: Loose,
    pub(super) origin: Origin,
}

/// Everything that was said, by key; nothing is checked but that the keys exist.
#[derive(Debug)]
pub struct RawSettings {
    said: BTreeMap<String, Said>,
    /// Length of `issuers`, the one list of sections.
    issuers: usize,
    pub(super) complaints: Vec<Complaint>,
    pub(super) store_variables: StoreVariables,
    /// Folder of the settings file; without one, the working directory.
    file_folder: PathBuf,
    working_directory: PathBuf,
}

impl RawSettings {
    /// Gather what was said. `variables` are all environment variables; those with neither our prefix nor that of object
    /// stores are passed over.
    /// Relative paths said in the file are meant from the file's folder, all others from `working_directory`.
    pub fn gather(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (OsString, OsString)>,
        overrides: &[Override],
        working_directory: &Path,
    ) -> Result<Self, ConfigError> {
        let mut complaints = Vec::new();
        let mut figment = Figment::new();
        let file = file.map(|path| working_directory.join(path));
        if let Some(path) = &file {
            figment = figment.merge(file_layer(path, &mut complaints)?);
        }
        let mut of_store = Vec::new();
        for (name, text) in variables {
            if let (Some(name), Some(text)) =
                (name.to_str().filter(|name| name.starts_with(STORE_PREFIX)), text.to_str())
            {
                of_store.push((name.to_owned(), text.to_owned()));
            } else if let Some(layer) = variable_layer(name, text, &mut complaints) {
                figment = figment.merge(layer);
            }
        }
        for given in overrides {
            figment = figment.merge(Layer::one(Origin::Flag(given.flag.to_owned()), given.key, &given.value));
        }
        let mut raw = Self {
            said: BTreeMap::new(),
            issuers: 0,
            complaints,
            store_variables: StoreVariables::new(of_store),
            file_folder: file.as_deref().and_then(Path::parent).unwrap_or(working_directory).to_owned(),
            working_directory: working_directory.to_owned(),
        };
        raw.take_in(&figment);
        raw.refuse_unknown();
        Ok(raw)
    }

    pub(super) fn get(&self, path: &str) -> Option<&Said> {
        self.said.get(path)
    }

    pub(super) fn issuers(&self) -> usize {
        self.issuers
    }

    /// The folder from which a relative path said there is meant.
    pub(super) fn folder_of(&self, origin: &Origin) -> &Path {
        match origin {
            Origin::Default | Origin::File(_) => &self.file_folder,
            Origin::Variable(_) | Origin::Flag(_) => &self.working_directory,
        }
    }

    fn take_in(&mut self, figment: &Figment) {
        // Merging maps that are in memory already cannot fail; the layers were read before.
        let merged = figment.data().unwrap_or_default();
        let top = merged.into_values().flatten();
        for (name, value) in top {
            self.flatten(figment, name, value);
        }
    }

    /// Sections become `section.key`, lists of sections `section[0].key`; everything else is a value.
    fn flatten(&mut self, figment: &Figment, path: String, value: Value) {
        match value {
            Value::Dict(_, section) => {
                for (name, value) in section {
                    self.flatten(figment, format!("{path}.{name}"), value);
                }
            }
            Value::Array(_, sections) if is_list_of_sections(&sections) => {
                if path == "issuers" {
                    self.issuers = sections.len();
                }
                for (index, section) in sections.into_iter().enumerate() {
                    self.flatten(figment, format!("{path}[{index}]"), section);
                }
            }
            value => {
                let origin = origin_of(figment, value.tag());
                self.said.insert(path, Said { value: loose(value), origin });
            }
        }
    }

    fn refuse_unknown(&mut self) {
        let known: Vec<String> = known_keys().map(Key::path).collect();
        let complaints = self
            .said
            .iter()
            .filter(|(path, _)| !known.contains(&without_index(path)))
            .map(|(path, said)| unknown_key(path, &said.origin, &known));
        self.complaints.extend(complaints);
    }
}

fn is_list_of_sections(list: &[Value]) -> bool {
    !list.is_empty() && list.iter().all(|element| matches!(element, Value::Dict(..)))
}

fn unknown_key(path: &str, origin: &Origin, known: &[String]) -> Complaint {
    let plain = without_index(path);
    let section =
        known.iter().any(|key| key.starts_with(&format!("{plain}.")) || key.starts_with(&format!("{plain}[]")));
    let remedy = if plain.starts_with("issuers") && !matches!(origin, Origin::File(_)) {
        "Issuers are listed in the settings file, as `[[issuers]]`".to_owned()
    } else if section {
        format!("`{path}` is a section. Set the keys in it")
    } else {
        match nearest(&plain, known) {
            Some(key) => format!("Did you mean `{key}`?"),
            None => "`docs/configuration.md` lists the known ones".to_owned(),
        }
    };
    Complaint { place: origin.to_string(), reason: format!("unknown key `{path}`"), remedy: Some(remedy) }
}

/// The name most like it, if any is like it at all.
fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let alike = |key: &str| strsim::jaro_winkler(name, key).max(strsim::jaro_winkler(last(name), last(key)) - 0.05);
    known
        .iter()
        .map(|key| (alike(key), key.as_str()))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|one, other| one.0.total_cmp(&other.0))
        .map(|(_, key)| key)
}

/// The name without its section: a key is often right and only stands in the wrong one.
fn last(path: &str) -> &str {
    path.rsplit_once('.').map_or(path, |(_, name)| name)
}

/// `issuers[3].audience` is the key `issuers[].audience`.
fn without_index(path: &str) -> String {
    match (path.find('['), path.find(']')) {
        (Some(open), Some(close)) if open < close => format!("{}[]{}", &path[..open], &path[close + 1..]),
        _ => path.to_owned(),
    }
}

/// One source of values, as figment takes it.
struct Layer {
    origin: Origin,
    values: Dict,
}

impl Layer {
    /// A layer that says one key, as text.
    fn one(origin: Origin, key: &str, text: &str) -> Self {
        let value =
            key.rsplit('.').fold(Value::from(text), |inner, name| Dict::from([(name.to_owned(), inner)]).into());
        let values = value.into_dict().unwrap_or_default(); // a key has a name, so the fold made a map
        Self { origin, values }
    }
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        match &self.origin {
            Origin::Default => Metadata::named("default"),
            Origin::File(path) => Metadata::from("file", path.as_path()),
            Origin::Variable(name) => Metadata::from("variable", Source::Custom(name.clone())),
            Origin::Flag(name) => Metadata::from("flag", Source::Custom(name.clone())),
        }
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// Back from figment's tag to where a value was said; the inverse of `Layer::metadata`.
fn origin_of(figment: &Figment, tag: Tag) -> Origin {
    let metadata = figment.get_metadata(tag);
    match metadata.and_then(|metadata| metadata.source.as_ref().map(|source| (metadata.name.as_ref(), source))) {
        Some((_, Source::File(path))) => Origin::File(path.clone()),
        Some(("variable", Source::Custom(name))) => Origin::Variable(name.clone()),
        Some(("flag", Source::Custom(name))) => Origin::Flag(name.clone()),
        _ => Origin::Default,
    }
}

fn file_layer(path: &Path, complaints: &mut Vec<Complaint>) -> Result<Layer, ConfigError> {
    let text = fs::read_to_string(path).map_err(|source| ConfigError::File { path: path.to_owned(), source })?;
    let values = Toml::from_str::<Dict>(&text).unwrap_or_else(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        complaints.push(Complaint {
            place: format!("file {}:{}", path.display(), before.matches('\n').count() + 1),
            // Only the first line: the ones after it repeat the file.
            reason: format!("not TOML: {}", error.message().lines().next().unwrap_or("unreadable")),
            remedy: None,
        });
        Dict::new()
    });
    Ok(Layer { origin: Origin::File(path.to_owned()), values })
}

fn variable_layer(name: OsString, text: OsString, complaints: &mut Vec<Complaint>) -> Option<Layer> {
    let name = name.to_string_lossy().into_owned();
    let key = name.strip_prefix(VARIABLE_PREFIX)?;
    if NOT_SETTINGS.contains(&name.as_str()) {
        return None;
    }
    let key = key.to_ascii_lowercase().replace("__", ".");
    match text.into_string() {
        Ok(text) => Some(Layer::one(Origin::Variable(name), &key, &text)),
        Err(_) => {
            complaints.push(Complaint {
                place: Origin::Variable(name).to_string(),
                reason: "the value is not UTF-8".to_owned(),
                remedy: None,
            });
            None
        }
    }
}

fn loose(value: Value) -> Loose {
    match value {
        Value::String(_, text) => Loose::Text(text),
        Value::Char(_, c) => Loose::Text(c.to_string()),
        Value::Num(_, number) => whole(number).map_or(Loose::Other("a fraction"), Loose::Number),
        Value::Array(_, list) => Loose::List(list.into_iter().map(loose).collect()),
        Value::Bool(..) => Loose::Other("`true` or `false`"),
        Value::Dict(..) => Loose::Other("a section"),
        Value::Empty(..) => Loose::Other("nothing"),
    }
}

fn whole(number: Num) -> Option<i128> {
    number.to_i128().or_else(|| number.to_u128().and_then(|number| i128::try_from(number).ok()))
}
