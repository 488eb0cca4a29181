//! Drift: how the columns of a file differ from the fields that the catalogue declares.
//!
//! Pure. Everything that differs is said at once, each with what to do: a register whose department changed its export is
//! put right in one round, not one column a try.

use std::fmt;

use arrow::datatypes::DataType;

use super::input::CHANGE;
use crate::catalog::{Dataset, Field, FieldKind};

/// A column as the file has it. A CSV tells no type.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Given {
    pub(super) name: String,
    pub(super) kind: Option<DataType>,
}

/// All differences; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Drift(Vec<Difference>);

/// One difference between a file and the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// A required field has no column.
    Missing {
        field: String,
        kind: &'static str,
    },
    /// A column that is no field; `near` is the field that it may be meant for.
    Extra {
        column: String,
        near: Option<Near>,
    },
    Twice {
        column: String,
    },
    /// The column's type cannot hold the field's values.
    Type {
        column: String,
        found: String,
        kind: &'static str,
    },
    /// A file of changes that does not say what each row is.
    NoChange,
    /// A file of changes where the whole register was to be published.
    IsChanges,
}

/// Why a column may be meant for a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Near {
    pub field: String,
    /// The column is headed by the field's data element or title, not by its name.
    pub by_title: bool,
}

/// How alike a column and a field must be to be taken for each other.
const LIKENESS_MIN: f64 = 0.75;

impl Drift {
    /// What differs, or nothing.
    pub(super) fn between(columns: &[Given], dataset: &Dataset, changes: bool) -> Option<Self> {
        let has = |name: &str| columns.iter().any(|column| column.name == name);
        let mut found = Vec::new();
        for (position, column) in columns.iter().enumerate() {
            let name = &column.name;
            if columns[..position].iter().any(|earlier| earlier.name == *name) {
                found.push(Difference::Twice { column: name.clone() });
                continue;
            }
            match dataset.field(name) {
                Some((_, field)) => found.extend(wrong_type(column, field)),
                None if name == CHANGE && changes => {}
                None if name == CHANGE => found.push(Difference::IsChanges),
                None => {
                    let free = dataset.fields.iter().filter(|field| !has(field.name.as_str()));
                    found.push(Difference::Extra { column: name.clone(), near: nearest(name, free) });
                }
            }
        }
        for field in dataset.fields.iter().filter(|field| field.required && !has(field.name.as_str())) {
            found.push(Difference::Missing { field: field.name.to_string(), kind: field.kind.name() });
        }
        if changes && !has(CHANGE) {
            found.push(Difference::NoChange);
        }
        (!found.is_empty()).then_some(Self(found))
    }

    pub fn differences(&self) -> &[Difference] {
        &self.0
    }
}

/// The field, among those that have no column, whose data element or title heads the column, or whose name is nearly its.
fn nearest<'f>(column: &str, free: impl Iterator<Item = &'f Field> + Clone) -> Option<Near> {
    let titled = |field: &&Field| {
        field.element.eq_ignore_ascii_case(column)
            || field.title.zh == column
            || field.title.en.eq_ignore_ascii_case(column)
    };
    if let Some(field) = free.clone().find(titled) {
        return Some(Near { field: field.name.to_string(), by_title: true });
    }
    let likeness = |field: &Field| strsim::jaro_winkler(&column.to_ascii_lowercase(), field.name.as_str());
    let best = free.map(|field| (likeness(field), field)).max_by(|one, other| one.0.total_cmp(&other.0));
    let (likeness, field) = best?;
    (likeness >= LIKENESS_MIN).then(|| Near { field: field.name.to_string(), by_title: false })
}

fn wrong_type(column: &Given, field: &Field) -> Option<Difference> {
    let found = column.kind.as_ref().filter(|found| !can_hold(found, &field.kind))?;
    Some(Difference::Type { column: column.name.clone(), found: found.to_string(), kind: field.kind.name() })
}

/// Could the cells of such a column, as text, be values of the kind? Text always could; each cell is looked at later.
fn can_hold(found: &DataType, kind: &FieldKind) -> bool {
    if let DataType::Dictionary(_, values) = found {
        return can_hold(values, kind);
    }
    let is_text = matches!(found, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View | DataType::Null);
    let is_day = matches!(found, DataType::Date32 | DataType::Date64 | DataType::Timestamp(..));
    match kind {
        _ if is_text => true,
        // A number as a licence's, or a code as `1`, may have been taken for an integer by the program that wrote the file.
        FieldKind::ResidentId
        | FieldKind::CreditCode
        | FieldKind::LicenceId
        | FieldKind::Division
        | FieldKind::Text { .. }
        | FieldKind::Code { .. }
        | FieldKind::Integer => found.is_integer(),
        FieldKind::Date => is_day || found.is_integer(),
        FieldKind::Boolean => *found == DataType::Boolean || found.is_integer(),
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, difference) in self.0.iter().enumerate() {
            let between = if number == 0 { "" } else { "; " };
            write!(f, "{between}{difference}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { field, kind } => write!(f, "column `{field}` ({kind}) is missing"),
            Self::Extra { column, near: None } => write!(f, "column `{}` is not a field of it", shown(column)),
            Self::Extra { column, near: Some(Near { field, by_title: true }) } => {
                write!(f, "column `{}` is not a field of it, but what heads `{field}`. Rename it so", shown(column))
            }
            Self::Extra { column, near: Some(Near { field, by_title: false }) } => {
                write!(f, "column `{}` is not a field of it. Did you mean `{field}`?", shown(column))
            }
            Self::Twice { column } => write!(f, "column `{}` stands in it twice", shown(column)),
            Self::Type { column, found, kind } => {
                write!(f, "column `{column}` is of type {found}, which does not fit the kind {kind}")
            }
            Self::NoChange => {
                write!(f, "column `{CHANGE}` is missing. In a file of changes it says `upsert` or `delete`")
            }
            Self::IsChanges => write!(f, "column `{CHANGE}` is of a file of changes. Publish it with `--changes`"),
        }
    }
}

/// A header is outside text: of one line, and not too long.
fn shown(column: &str) -> String {
    column.chars().filter(|c| !c.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn drift(columns: &[(&str, Option<DataType>)], changes: bool) -> Vec<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogs/guangdong");
        let catalog = crate::catalog::load(&folder).unwrap();
        let given: Vec<_> =
            columns.iter().map(|(name, kind)| Given { name: (*name).to_owned(), kind: kind.clone() }).collect();
        let found = Drift::between(&given, &catalog.datasets["social-credit"], changes);
        found.map(|drift| drift.differences().iter().map(Difference::to_string).collect()).unwrap_or_default()
    }

    const REQUIRED: [&str; 8] = [
        "credit_code",
        "name",
        "dishonest",
        "serious_violation",
        "abnormal_operation",
        "penalties_3y",
        "division",
        "updated_on",
    ];

    fn whole() -> Vec<(&'static str, Option<DataType>)> {
        REQUIRED.map(|name| (name, None)).to_vec()
    }

    #[test]
    fn the_catalogues_own_columns_do_not_differ() {
        assert!(drift(&whole(), false).is_empty());
        let mut more = whole();
        more.extend([("tax_grade", None), ("dishonest_since", Some(DataType::Date32))]);
        assert!(drift(&more, false).is_empty());
    }

    #[test]
    fn everything_that_differs_is_said_at_once() {
        let mut columns = whole();
        columns[0].0 = "TYSHXYDM";
        columns[1].0 = "单位名称";
        columns[3].0 = "serious_violations";
        columns[5].1 = Some(DataType::Float64);
        columns[6].0 = "colour";
        columns[7].0 = "dishonest";
        assert_eq!(
            drift(&columns, false),
            [
                "column `TYSHXYDM` is not a field of it, but what heads `credit_code`. Rename it so",
                "column `单位名称` is not a field of it, but what heads `name`. Rename it so",
                "column `serious_violations` is not a field of it. Did you mean `serious_violation`?",
                "column `penalties_3y` is of type Float64, which does not fit the kind integer",
                "column `colour` is not a field of it",
                "column `dishonest` stands in it twice",
                "column `credit_code` (credit_code) is missing",
                "column `name` (text) is missing",
                "column `serious_violation` (boolean) is missing",
                "column `division` (division) is missing",
                "column `updated_on` (date) is missing",
            ]
        );
    }

    #[test]
    fn a_file_of_changes_says_so_and_another_does_not() {
        let mut changes = whole();
        assert_eq!(drift(&changes, true).len(), 1);
        changes.push((CHANGE, None));
        assert!(drift(&changes, true).is_empty());
        assert!(drift(&changes, false)[0].contains("--changes"));
    }
}
