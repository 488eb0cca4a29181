//! Tests of `name`.

use proptest::{prelude::*, sample::select};

use super::{super::spelling, *};

fn same(one: &str, other: &str) {
    assert_eq!(form(one), form(other), "{one} and {other}");
}

fn different(one: &str, other: &str) {
    assert_ne!(form(one), form(other), "{one} and {other}");
}

#[test]
fn what_a_clerk_takes_for_one_name_has_one_form() {
    same("张三", " 张 三 ");
    same("张三", "张\u{3000}三");
    same("张三", "张\u{00A0}\t三");
    same("阿卜杜拉·买买提", "阿卜杜拉•买买提");
    for dot in ["·", "•", "・", "‧", "･", ".", "．", "∙", "⋅", "ᐧ", "\u{0387}", "\u{2024}", " · ", " . "]
    {
        same("阿卜杜拉·买买提", &format!("阿卜杜拉{dot}买买提"));
    }
    same("john smith", "John  Smith");
    same("JOHN SMITH", "Ｊｏｈｎ　Ｓｍｉｔｈ");
    same("John·Smith", "John • Smith");
    same("Jean-Pierre", "Jean\u{2010}Pierre");
    same("Jean-Pierre", "Jean\u{2011}Pierre");
    same("Jean-Pierre", "JEAN\u{2013}PIERRE");
    for apostrophe in ["\u{2019}", "\u{2018}", "\u{02BC}", "`", "\u{00B4}", "＇", "｀", "\u{2032}"] {
        same("O'Brien", &format!("O{apostrophe}Brien"));
    }
    same("José", "Jose\u{0301}");
    same("ẗ", "T\u{0308}");
    same("Weiß", "WEISS");
    same("Weiß", "WEIẞ");
    same("张三", "\u{FEFF}张\u{200B}三\u{200D}");
    same("葛城", "葛\u{E0100}城\u{FE00}");
    same("𬭎明", "𬭎 明");
    same("广州(天河)有限公司", "广州（天河）有限公司");
    same("金哲洙", "金 哲 洙");
    same("김철수", "김 철수");
    same("山田タロウ", "山田 ﾀﾛｳ");
    // Compatibility ideographs are declared by Unicode to be the unified ones; so are radicals used as characters.
    same("樂", "\u{F914}");
    same("一", "\u{2F00}");
}

#[test]
fn what_differs_in_a_character_stays_different() {
    different("张三", "張三"); // Simplified and traditional.
    different("简", "簡");
    different("后", "後");
    different("户", "戶"); // Variants with code points of their own.
    different("户", "戸");
    different("未", "末");
    different("张三", "张三三");
    different("José", "Jose");
    different("John Smith", "JohnSmith");
    different("J.Smith", "J·Smith"); // The full stop of an abbreviation is no middle dot.
    different("J.张", "J·张");
    different("阿卜杜拉·买买提", "阿卜杜拉买买提");
    different("ー", "-"); // The long vowel sign of katakana is no hyphen.
    different("\u{E863}", "\u{4DAE}"); // A private-use character is not what one vendor's table says.
}

#[test]
fn a_form_is_found_without_copying_where_the_name_has_it_already() {
    for name in ["张三", "阿卜杜拉·买买提", "jean-pierre", "o'brien", "𠮷田"] {
        assert!(matches!(form(name), Cow::Borrowed(_)), "{name}");
    }
    assert!(matches!(form("张 三"), Cow::Owned(_)));
}

#[test]
fn the_characters_passed_over_quickly_are_those_that_normalising_leaves_alone() {
    for c in ('\0'..='\u{3FFFF}').filter(|c| is_settled(*c)) {
        let slowly: String = c.nfkc().flat_map(char::to_uppercase).flat_map(char::to_lowercase).nfc().collect();
        assert_eq!(slowly, c.to_string(), "U+{:04X}", c as u32);
        let mapped = spelling::middle_dot(spelling::hyphen(spelling::apostrophe(c)));
        assert_eq!(mapped, c, "U+{:04X}", c as u32);
        assert!(!c.is_whitespace() && !is_invisible(c), "U+{:04X}", c as u32);
    }
}

#[test]
fn only_a_lost_character_of_the_register_leaves_a_name_undecided() {
    let check = |claimed: &str, registered: &str, expect| {
        assert_eq!(differ_only_where_unreadable(&form(claimed), &form(registered)), expect, "{claimed}, {registered}");
    };
    check("张𬭎", "张?", true);
    check("张𬭎", "张？", true);
    check("张𬭎", "张□", true);
    check("张𬭎", "张\u{E863}", true);
    check("张𬭎", "张\u{FFFD}", true);
    check("李𬭎", "张?", false);
    check("张𬭎明", "张?", false);
    check("张?", "张三", false); // A claim has no jokers.
    check("张\u{E863}", "张三", false);
    check("张三", "张四", false);
}

/// Names as registers hold them: Chinese, of several parts, Latin.
fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[一-龥]{2,4}",
        "[一-龥㐀-䶵𠀀-𪛖]{2,5}",
        "[一-龥]{2,5}·[一-龥]{2,5}",
        "[A-Z][a-z]{1,8}(-[A-Z][a-z]{1,8})? (O')?[A-Z][a-z]{1,10}",
    ]
}

/// The name as somebody else may have typed it; `choices` are as many as the longest name has characters.
fn variant(name: &str, choices: &[u8]) -> String {
    let full_width = |c: char| char::from_u32(c as u32 + 0xFEE0).unwrap();
    let blank_may_follow = name.chars().all(|c| is_han(c) || c == '·');
    let mut typed = String::from("  ");
    for (c, choice) in name.chars().zip(choices) {
        let spellings: Vec<String> = match c {
            '·' => ["·", "•", "・", "‧", "･", "∙", "⋅", ".", "．", " · "].map(String::from).into(),
            '-' => ["-", "\u{2010}", "\u{2011}", "\u{2013}", "－"].map(String::from).into(),
            '\'' => ["'", "\u{2019}", "\u{02BC}", "`", "＇"].map(String::from).into(),
            ' ' => [" ", "  ", "\u{3000}", "\u{00A0} "].map(String::from).into(),
            c if c.is_ascii_alphabetic() => {
                [c.to_ascii_uppercase(), c.to_ascii_lowercase(), full_width(c)].map(String::from).into()
            }
            c if blank_may_follow => [
                format!("{c}"),
                format!("{c} "),
                format!("{c}\u{3000}"),
                format!("{c}\u{200B}"),
                format!("{c}\u{FE00}"),
            ]
            .into(),
            c => vec![c.to_string()],
        };
        typed.push_str(&spellings[usize::from(*choice) % spellings.len()]);
    }
    typed + "\u{3000}"
}

fn han() -> impl Strategy<Value = char> {
    prop_oneof![
        prop::char::range('\u{4E00}', '\u{9FFF}'),
        prop::char::range('\u{3400}', '\u{4DBF}'),
        prop::char::range('\u{20000}', '\u{2EBE0}'),
    ]
}

proptest! {
    #[test]
    fn a_name_has_the_form_of_any_of_its_spellings(
        name in name(),
        one in prop::collection::vec(any::<u8>(), 40),
        other in prop::collection::vec(any::<u8>(), 40),
    ) {
        let (one, other) = (variant(&name, &one), variant(&name, &other));
        prop_assert_eq!(form(&one), form(&name));
        prop_assert_eq!(form(&one), form(&other));
    }

    #[test]
    fn another_character_is_another_name(name in "[一-龥]{2,5}(·[一-龥]{2,5})?", at in any::<prop::sample::Index>(), other in han()) {
        let mut changed: Vec<char> = name.chars().collect();
        let at = at.index(changed.len());
        prop_assume!(changed[at] != other);
        changed[at] = other;
        let changed = String::from_iter(changed);
        prop_assert_ne!(form(&changed), form(&name));
    }

    #[test]
    fn the_form_of_a_form_is_itself(text in any::<String>()) {
        let once = form(&text).into_owned();
        prop_assert_eq!(form(&once).into_owned(), once);
    }

    #[test]
    fn the_form_of_a_form_is_itself_where_the_rules_meet(
        parts in prop::collection::vec(select(&["张", "三", "a", "B", "é", "e\u{301}", " ", "\u{3000}", ".", "．", "·", "･", "´", "`",
            "'", "-", "\u{2011}", "\u{200D}", "\u{FE00}", "\u{E000}", "ß", "İ", "ŉ", "カ", "ﾞ", "한", "㍿", "\u{0345}", "?"][..]), 0..12),
    ) {
        let text = parts.concat();
        let once = form(&text).into_owned();
        prop_assert_eq!(form(&once).into_owned(), once);
    }
}
