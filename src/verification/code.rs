//! Codes and numbers of documents: one spelling for what a clerk takes for the same code.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use super::spelling::{hyphen, is_invisible};

/// What a match says that needed this spelling.
pub(super) const RULE: &str = "code-normalised";

/// The code in capitals and half-width forms (NFKC), without blanks, with one kind of hyphen. Hyphens stay: in a licence
/// number they part digits that would otherwise run together.
pub(super) fn form(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_lowercase()) {
        return Cow::Borrowed(text);
    }
    let capitals = text.chars().filter(|c| !is_invisible(*c)).nfkc().flat_map(char::to_uppercase).map(hyphen);
    Cow::Owned(capitals.filter(|c| !c.is_whitespace()).nfc().collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_width_and_blanks_do_not_matter_and_hyphens_do() {
        let check = |text: &str, expect: &str| assert_eq!(form(text), expect, "{text}");
        check("JY34401010000001", "JY34401010000001");
        check("jy34401010000001", "JY34401010000001");
        check("ＪＹ３４４０１０１００００００１", "JY34401010000001");
        check(" JY3 4401 0100\u{3000}00001 ", "JY34401010000001");
        check("粤 A-12345", "粤A-12345");
        check("粤A\u{2013}12345", "粤A-12345");
        check("粤A－12345", "粤A-12345");
        check("12\u{200B}3\u{FE0F}4", "1234");
        assert_ne!(form("1-23"), form("12-3"));
        assert_ne!(form("I0"), form("10"));
    }

    proptest! {
        #[test]
        fn the_form_of_a_form_is_itself(text in any::<String>()) {
            let once = form(&text).into_owned();
            prop_assert_eq!(form(&once).into_owned(), once);
        }
    }
}
