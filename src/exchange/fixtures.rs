//! The catalogue that comes with the program, and questions about it, for the tests of this room.

use std::{
    path::{Path, PathBuf},
    sync::LazyLock,
};

use chrono::NaiveDate;

use super::call::{Asked, Call, Question};
use crate::{
    catalog::{self, Catalog},
    identifiers::FieldName,
};

pub(super) static GUANGDONG: LazyLock<Catalog> =
    LazyLock::new(|| catalog::load(&in_repository("catalogs/guangdong")).unwrap());

/// A firm's code; whether a register has it does not matter here.
pub(super) const FIRM: &str = "91440300MA9TETT93T";

pub(super) fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub(super) fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 24).unwrap()
}

pub(super) fn names<C: FromIterator<FieldName>>(names: &[&str]) -> C {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

pub(super) fn fields(names: &[&str]) -> Asked {
    Asked::Fields(names.iter().map(|&name| name.to_owned()).collect())
}

/// A question about a firm.
pub(super) fn question(asked: Asked) -> Question {
    Question {
        dataset: "legal-entity".to_owned(),
        item: "11440100MB9YYY997R3440101002000".to_owned(),
        case: Some("CASE-1".to_owned()),
        authority: None,
        consent: None,
        operator: None,
        approver: None,
        subject: vec![("credit_code".to_owned(), FIRM.to_owned())],
        asked,
    }
}

pub(super) fn call(question: &Question) -> Call {
    Call::parse(question, &GUANGDONG, today()).unwrap()
}
