//! Tests of `value`.

use proptest::prelude::*;

use super::*;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn parse(kind: &FieldKind, text: &str) -> Result<Value, ValueError> {
    kind.parse(text, day("2026-03-02"))
}

#[track_caller]
fn text_of(kind: &FieldKind, text: &str, expect: Option<&str>) {
    assert_eq!(parse(kind, text).ok().map(|value| value.as_text().into_owned()).as_deref(), expect, "{text:?}");
}

#[test]
fn identifiers_are_kept_in_their_canonical_spelling() {
    let cases = [
        (FieldKind::ResidentId, " 440100188912310015 ", Some("440100188912310015")),
        (FieldKind::ResidentId, "44010218890715011x", Some("44010218890715011X")),
        (FieldKind::ResidentId, "４４０１００１８８９１２３１００１５", Some("440100188912310015")),
        (FieldKind::ResidentId, "440100188912310014", None),
        (FieldKind::ResidentId, "44030018990229001X", None),
        (FieldKind::CreditCode, "11440100mb9yyy997r", Some("11440100MB9YYY997R")),
        (FieldKind::CreditCode, "91440300MA9TETT93U", None),
        (
            FieldKind::LicenceId,
            "1.2.156.3005.2.11440000000999993T001.11440100MB9YYY997R.2020000000000001.001.I",
            Some("1.2.156.3005.2.11440000000999993T001.11440100MB9YYY997R.2020000000000001.001.I"),
        ),
        (FieldKind::LicenceId, "1.2.156.3005.2.11440000000999993T001", None),
        (FieldKind::Division, "440106", Some("440106")),
        (FieldKind::Division, "44010", None),
    ];
    for (kind, text, expect) in cases {
        text_of(&kind, text, expect);
    }
}

#[test]
fn a_resident_id_from_the_future_is_refused() {
    let id = "440100188912310015";
    assert!(FieldKind::ResidentId.parse(id, day("1889-12-31")).is_ok());
    assert!(FieldKind::ResidentId.parse(id, day("1889-12-30")).is_err());
}

#[test]
fn dates_are_read_in_every_common_notation() {
    for text in [
        "2020-01-31",
        "20200131",
        "2020/1/31",
        "2020/01/31",
        "2020-1-31",
        "2020.01.31",
        "2020年1月31日",
        "2020年01月31日",
        "２０２０年１月３１日",
        "２０２０－０１－３１",
        "２０２００１３１",
        " 2020-01-31 ",
    ] {
        assert_eq!(parse(&FieldKind::Date, text), Ok(Value::Date(day("2020-01-31"))), "{text:?}");
    }
    // As long as the compact notation, and not it.
    assert_eq!(parse_date("2020/1/3"), Some(day("2020-01-03")));
    assert_eq!(parse_date("长期"), Some(LONG_TERM));
    assert_eq!(parse_date("9999-12-31"), Some(LONG_TERM));
    assert_eq!(parse_date("1800-01-01"), Some(day("1800-01-01")));
}

#[test]
fn what_is_not_a_day_in_the_calendar_is_refused() {
    for text in [
        "1799-12-31",
        "10000-01-01",
        "2021-02-29",
        "1900-02-29",
        "2020-13-01",
        "2020-00-10",
        "2020-01-00",
        "2020-01-32",
        "2020-01",
        "2020年1月",
        "2020年1月31",
        "20年1月31日",
        "2020/1-31",
        "2020-1/31",
        "2020-01-3a",
        "202001311",
        "2020013",
        "+202-01-31",
        "2020-+1-31",
        "2020--131",
        "2020-001-31",
        "永久",
        "年月日",
        "--",
        "2020-01-31 00:00:00",
        "٢٠٢٠٠١٣١",
    ] {
        assert_eq!(parse_date(text), None, "{text:?}");
    }
}

#[test]
fn numbers_and_booleans_are_read_as_people_write_them() {
    for (text, expect) in [
        ("0", Some(0)),
        ("-7", Some(-7)),
        ("０１２", Some(12)),
        ("1,000", None),
        ("1.0", None),
        ("9223372036854775808", None),
    ] {
        assert_eq!(parse(&FieldKind::Integer, text).ok(), expect.map(Value::Integer), "{text:?}");
    }
    for (text, expect) in [
        ("1", Some(true)),
        ("TRUE", Some(true)),
        ("是", Some(true)),
        ("０", Some(false)),
        ("false", Some(false)),
        ("否", Some(false)),
        ("yes", None),
        ("2", None),
    ] {
        assert_eq!(parse(&FieldKind::Boolean, text).ok(), expect.map(Value::Boolean), "{text:?}");
    }
}

#[test]
fn text_is_measured_in_characters_and_carries_no_control_character() {
    let kind = FieldKind::Text { chars_max: 4 };
    for (text, expect) in [
        ("欧阳𬭎一", Some("欧阳𬭎一")),
        ("欧阳𬭎一二", None),
        ("abcde", None),
        (" 李·明 ", Some("李·明")),
        ("a\tb", None),
        ("a\u{0}", None),
        ("a\u{202E}b", None),
        ("a\u{7F}", None),
        ("", None),
        (" \u{3000}", None),
    ] {
        text_of(&kind, text, expect);
    }
}

#[test]
fn a_code_is_one_of_the_listed_ones() {
    let kind = FieldKind::Code { values: vec![("01".into(), "有效".into()), ("A".into(), "甲".into())] };
    for (text, expect) in [("01", Some("01")), ("０１", Some("01")), ("a", Some("A")), ("1", None), ("02", None)] {
        text_of(&kind, text, expect);
    }
}

#[test]
fn an_error_never_repeats_the_value() {
    let codes = FieldKind::Code { values: vec![("1".into(), "男".into())] };
    let kinds = [
        FieldKind::ResidentId,
        FieldKind::CreditCode,
        FieldKind::LicenceId,
        FieldKind::Division,
        codes,
        FieldKind::Date,
        FieldKind::Integer,
    ];
    for kind in kinds {
        let error = parse(&kind, "QX7Z9secret").unwrap_err();
        assert!(!error.reason.contains("QX7Z9"), "{}: {error}", kind.name());
    }
    let error = parse(&FieldKind::ResidentId, "440301189002300018").unwrap_err();
    assert!(!error.reason.contains("1890") && !error.reason.is_empty(), "a birth date, however wrong: {error}");
}

proptest! {
    #[test]
    fn a_date_reads_back_from_each_notation(days in 0..2_994_903i64) {
        let date = day("1800-01-01") + chrono::Duration::days(days);
        for notation in ["%Y-%m-%d", "%Y%m%d", "%Y/%-m/%-d", "%Y.%-m.%d", "%Y年%-m月%-d日"] {
            prop_assert_eq!(parse_date(&date.format(notation).to_string()), Some(date));
        }
    }

    #[test]
    fn no_text_makes_the_parser_panic(text in "\\PC{0,40}|[0-9０-９年月日/. -]{0,12}") {
        let kinds = [
            FieldKind::ResidentId, FieldKind::CreditCode, FieldKind::LicenceId, FieldKind::Division, FieldKind::Date,
            FieldKind::Integer, FieldKind::Boolean, FieldKind::Text { chars_max: 8 },
        ];
        for kind in kinds {
            if let Ok(value) = parse(&kind, &text) {
                // Canonical text is a fixed point: publishing an export of a register changes nothing.
                prop_assert_eq!(parse(&kind, &value.as_text()), Ok(value.clone()));
            }
        }
    }
}
