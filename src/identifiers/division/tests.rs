//! Division codes: the lists, the hierarchy, the spellings.

use super::*;

fn code(text: &str) -> DivisionCode {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

#[test]
fn guangdong_has_its_21_cities_and_the_two_without_counties() {
    let cities = DivisionCode::all_known()
        .filter(|code| code.as_str().starts_with("44") && code.level() == DivisionLevel::City && !code.is_abolished());
    assert_eq!(cities.count(), 21);
    let leaves: Vec<_> = DivisionCode::guangdong().collect();
    assert_eq!(leaves.len(), 122 + 2);
    assert!(leaves.contains(&code("441900")) && leaves.contains(&code("442000")) && !leaves.contains(&code("440100")));
}

#[test]
fn an_abolished_code_is_known_by_its_name_and_successor() {
    for (old, name, new) in
        [("440102", "东山区", "440104"), ("440107", "芳村区", "440103"), ("440524", "潮阳县", "440513")]
    {
        assert_eq!((code(old).name(), code(old).successor()), (Some(name), Some(code(new))), "{old}");
    }
    assert!(!code("440104").is_abolished());
}

#[test]
fn the_year_in_which_a_code_went_is_told_where_it_is_sure() {
    for (old, year) in
        [("440102", Some(2005)), ("440183", Some(2014)), ("442521", Some(1988)), ("441421", None), ("440104", None)]
    {
        assert_eq!(code(old).abolished_in(), year, "{old}");
    }
}

#[test]
fn the_lists_hold_together() {
    let all: Vec<_> = DivisionCode::all_known().collect();
    assert_eq!(all.len(), known().len(), "every row is a code");
    assert!(all.windows(2).all(|pair| pair[0] < pair[1]), "no code stands twice");
    for code in all.iter().filter(|code| code.is_abolished()) {
        let known = code.entry().unwrap();
        assert_eq!(code.successor().is_some(), known.abolition.unwrap().successor.is_some(), "{code}");
        assert!(code.successor().is_none_or(|new| !new.is_abolished() && new.name().is_some()), "{code}");
        assert!(code.abolished_in().is_none_or(|year| (1981..=2020).contains(&year)), "{code}");
    }
    assert_eq!(all.iter().filter(|code| code.is_abolished()).count(), ABOLISHED.lines().count() - 1);
}

#[test]
fn what_lies_above_a_known_code_is_a_code_too() {
    for code in DivisionCode::all_known() {
        for above in [code.parent(), code.city(), code.province()].into_iter().flatten() {
            assert_eq!(above.as_str().parse(), Ok(above), "above {code}");
            assert!(above.contains(&code), "{above} {code}");
        }
    }
    for (below, city, province) in [
        ("440113012001", Some("440100"), Some("440000")),
        ("441900003", Some("441900"), Some("440000")),
        ("449001", None, Some("440000")), // a city right under the province, as there were from 1992 to 1994
        ("440000", None, Some("440000")),
        ("100000", None, None),
        ("110105", Some("110100"), Some("110000")),
    ] {
        assert_eq!(self::code(below).city(), city.map(self::code), "city of {below}");
        assert_eq!(self::code(below).province(), province.map(self::code), "province of {below}");
    }
}

#[test]
fn a_place_has_one_code_however_many_zeros_follow() {
    for (text, shortest, level) in [
        ("440106000000", "440106", DivisionLevel::County),
        ("440106000", "440106", DivisionLevel::County),
        ("440113012000", "440113012", DivisionLevel::Town),
        ("440000000000", "440000", DivisionLevel::Province),
        ("441900003001", "441900003001", DivisionLevel::Village),
        ("440106000001", "440106000001", DivisionLevel::Village),
    ] {
        assert_eq!((code(text).as_str(), code(text).level()), (shortest, level), "{text}");
    }
    assert_eq!(code("440106000001").parent(), Some(code("440106")));
}

#[test]
fn an_authority_reaches_what_lies_inside_its_division() {
    for (above, below, inside) in [
        ("440000", "440106", true),
        ("440100", "440106", true),
        ("440100", "440306", false),
        ("440106", "440100", false),
        ("441900", "441900003", true),
        ("440113", "440113012001", true),
        ("440113012", "440113012001", true),
        ("100000", "440106", true),
        ("440000", "449001", true),
        ("441900", "442000", false),
        ("441900003", "441900", false),
        ("440113012", "440113013001", false),
        ("440106000000", "440106001", true),
        ("440106", "440106", true),
    ] {
        assert_eq!(code(above).contains(&code(below)), inside, "{above} {below}");
    }
}

#[test]
fn parents_lead_up_to_the_province() {
    let up = |text: &str| code(text).parent().map(|parent| parent.as_str().to_owned());
    assert_eq!(up("440113012001").as_deref(), Some("440113012"));
    assert_eq!(up("440113012").as_deref(), Some("440113"));
    assert_eq!(up("440113").as_deref(), Some("440100"));
    assert_eq!(up("440100").as_deref(), Some("440000"));
    assert_eq!(up("440000"), None);
    assert_eq!(up("441900003").as_deref(), Some("441900"));
    assert_eq!(up("449001").as_deref(), Some("440000"));
}

#[test]
fn what_is_no_division_is_refused() {
    for text in [
        "",
        "4401",
        "441000",
        "441100",
        "990000",
        "44010a",
        "４４０１０",
        "44０106x",
        "440199",
        "100000001",
        "810000001",
    ] {
        assert!(text.parse::<DivisionCode>().is_err(), "{text}");
    }
    assert_eq!(code("４４０１０６").as_str(), "440106");
    assert_eq!(code("110105").name(), None);
}

proptest::proptest! {
    #[test]
    fn printing_and_reading_is_identity(at in 0..known().len(), below in "[0-9]{3}|[0-9]{6}|") {
        let six = known()[at].code;
        let below = if six.starts_with("44") { below.as_str() } else { "" };
        let code = code(&format!("{six}{below}"));
        proptest::prop_assert_eq!(code.as_str().parse(), Ok(code));
        proptest::prop_assert!(code.parent().is_none_or(|above| above.contains(&code) && !code.contains(&above)));
        proptest::prop_assert_eq!(serde_json::from_value(serde_json::json!(code)).ok(), Some(code));
    }

    #[test]
    fn no_text_panics(text in "\\PC{0,16}|[0-9]{6,12}") {
        let _ = text.parse::<DivisionCode>();
    }
}
