//! The codes of one platform, and what each means.
//!
//! Platforms contradict each other (1 is yes for one and "no such number" for the next), so a table is declared for each,
//! and one that could be misread is refused when it is loaded. Pure.

use std::collections::BTreeMap;

use super::word::{Kind, Word};

/// A code table that can be misread by nobody.
///
/// Holds: every word has its codes or is said by the envelope alone; yes, no and not found have codes of their own; no code
/// stands for words of two kinds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vocabulary {
    name: String,
    said: BTreeMap<Word, String>,
    heard: BTreeMap<String, Word>,
}

/// Why a table is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ambiguity {
    #[error("`{}` has no code, so it could not be told from the others", word.as_str())]
    Unsaid { word: Word },
    #[error("code `{code}` stands for `{}` and for `{}`, and who reads one of them must not take it for the other", one.as_str(), other.as_str())]
    Shared { code: String, one: Word, other: Word },
    #[error("code `{code}` of `{}` is no code: 1 to 32 visible ASCII characters are", word.as_str())]
    NoCode { word: Word, code: String },
}

impl Ambiguity {
    /// The word to point at.
    pub fn word(&self) -> Word {
        match self {
            Self::Unsaid { word } | Self::NoCode { word, .. } => *word,
            Self::Shared { other, .. } => *other,
        }
    }
}

const CODE_CHARS_MAX: usize = 32;

impl Vocabulary {
    /// `codes`: for each word the codes that mean it. The first is the one that is said; a word without any is said by the
    /// envelope alone.
    pub fn new(name: &str, codes: &BTreeMap<Word, Vec<String>>) -> Result<Self, Vec<Ambiguity>> {
        let (mut found, mut meant) = (Vec::new(), BTreeMap::<String, Vec<Word>>::new());
        for word in Word::ALL {
            let codes = codes.get(&word).map_or(&[][..], Vec::as_slice);
            if codes.is_empty() && !matches!(word.kind(), Kind::NoAnswer | Kind::Refused) {
                found.push(Ambiguity::Unsaid { word });
            }
            for code in codes {
                if code.is_empty() || code.len() > CODE_CHARS_MAX || !code.bytes().all(|byte| byte.is_ascii_graphic()) {
                    found.push(Ambiguity::NoCode { word, code: code.clone() });
                }
                let others = meant.entry(code.clone()).or_default();
                if let Some(one) = others.iter().find(|one| one.kind() != word.kind()) {
                    found.push(Ambiguity::Shared { code: code.clone(), one: *one, other: word });
                }
                others.push(word);
            }
        }
        if !found.is_empty() {
            return Err(found);
        }
        let first = |(word, codes): (&Word, &Vec<String>)| codes.first().map(|code| (*word, code.clone()));
        let heard = meant.into_iter().filter_map(|(code, words)| Some((code, general(&words)?))).collect();
        Ok(Self { name: name.to_owned(), said: codes.iter().filter_map(first).collect(), heard })
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The code to say. None: the envelope says it.
    pub fn say(&self, word: Word) -> Option<&str> {
        self.said.get(&word).map(String::as_str)
    }

    /// What a code means; never a guess.
    pub fn hear(&self, code: &str) -> Option<Word> {
        self.heard.get(code).copied()
    }
}

/// What a code says that several words of one kind share: the one that promises least.
fn general(words: &[Word]) -> Option<Word> {
    match words {
        [] => None,
        [only] => Some(*only),
        [first, ..] => Some(match first.kind() {
            Kind::NoAnswer if words.contains(&Word::Unavailable) => Word::Unavailable,
            Kind::NoAnswer => Word::Undecided,
            Kind::Refused => Word::Denied,
            Kind::Match | Kind::Mismatch | Kind::NotFound => *first,
        }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(rows: &[(Word, &[&str])]) -> Result<Vocabulary, Vec<Ambiguity>> {
        let codes = rows.iter().map(|(word, codes)| (*word, codes.iter().map(|code| (*code).to_owned()).collect()));
        Vocabulary::new("t", &codes.collect())
    }

    /// Two tables of one source file that contradict each other (domain notes, section 5.4).
    #[test]
    fn tables_that_contradict_each_other_are_each_read_by_their_own() {
        let one = table(&[(Word::Match, &["1"]), (Word::Mismatch, &["2"]), (Word::NotFound, &["3"])]).unwrap();
        let other = table(&[
            (Word::NotFound, &["1"]),
            (Word::Mismatch, &["2"]),
            (Word::Match, &["3"]),
            (Word::Undecided, &["4"]),
            (Word::Unavailable, &["4"]),
        ])
        .unwrap();
        let from_zero = table(&[(Word::Match, &["0"]), (Word::Mismatch, &["1"]), (Word::NotFound, &["2"])]).unwrap();
        for (code, expect) in [
            ("0", [None, None, Some(Word::Match)]),
            ("1", [Some(Word::Match), Some(Word::NotFound), Some(Word::Mismatch)]),
            ("2", [Some(Word::Mismatch), Some(Word::Mismatch), Some(Word::NotFound)]),
            ("3", [Some(Word::NotFound), Some(Word::Match), None]),
            ("4", [None, Some(Word::Unavailable), None]),
            ("01", [None, None, None]),
            ("", [None, None, None]),
        ] {
            assert_eq!([&one, &other, &from_zero].map(|table| table.hear(code)), expect, "{code}");
        }
        assert_eq!((one.say(Word::Unavailable), other.say(Word::Unavailable)), (None, Some("4")));
    }

    #[test]
    fn a_table_that_takes_an_outage_or_a_missing_record_for_a_no_is_refused() {
        let sound: [(Word, &[&str]); 3] = [(Word::Match, &["1"]), (Word::Mismatch, &["2"]), (Word::NotFound, &["3"])];
        for (word, code, other) in [
            (Word::Unavailable, "2", Word::Mismatch),
            (Word::Abnormal, "2", Word::Mismatch),
            (Word::Unavailable, "3", Word::NotFound),
            (Word::Denied, "1", Word::Match),
        ] {
            let codes = [code];
            let rows: Vec<_> = sound.iter().copied().chain([(word, &codes[..])]).collect();
            let found = table(&rows).unwrap_err();
            assert_eq!(found, [Ambiguity::Shared { code: code.to_owned(), one: other, other: word }]);
        }
        let found = table(&[(Word::Match, &["1"]), (Word::Mismatch, &["2"]), (Word::NotFound, &["2"])]).unwrap_err();
        assert!(found[0].to_string().contains("`2` stands for `mismatch` and for `not_found`"), "{}", found[0]);
        let found = table(&[(Word::Match, &["1"]), (Word::Mismatch, &["2"])]).unwrap_err();
        assert_eq!(found, [Ambiguity::Unsaid { word: Word::NotFound }]);
        assert!(matches!(
            table(&[(Word::Match, &["1"]), (Word::Mismatch, &["2"]), (Word::NotFound, &["无"])]).unwrap_err()[..],
            [Ambiguity::NoCode { word: Word::NotFound, .. }]
        ));
    }

    prop_compose! {
        fn any_codes()(codes in prop::collection::vec(prop::collection::vec("[0-6]", 0..3), Word::ALL.len())) -> BTreeMap<Word, Vec<String>> {
            Word::ALL.into_iter().zip(codes).collect()
        }
    }

    proptest! {
        #[test]
        fn what_a_table_says_it_hears_as_the_same_kind(codes in any_codes()) {
            let Ok(table) = Vocabulary::new("t", &codes) else { return Ok(()) };
            for word in Word::ALL {
                let Some(code) = table.say(word) else {
                    prop_assert!(matches!(word.kind(), Kind::NoAnswer | Kind::Refused), "{word:?} cannot be said");
                    continue;
                };
                prop_assert_eq!(table.hear(code).map(Word::kind), Some(word.kind()));
            }
        }

        #[test]
        fn a_table_is_refused_exactly_when_a_code_has_two_kinds_or_an_answer_has_no_code(codes in any_codes()) {
            let kinds = |code: &String| {
                let mut kinds: Vec<_> = codes.iter().filter(|(_, said)| said.contains(code)).map(|(word, _)| word.kind()).collect();
                kinds.dedup();
                kinds.len()
            };
            let shared = codes.values().flatten().any(|code| kinds(code) > 1);
            let unsaid = [Word::Match, Word::Mismatch, Word::NotFound].iter().any(|word| codes[word].is_empty());
            prop_assert_eq!(Vocabulary::new("t", &codes).is_err(), shared || unsaid);
        }

        #[test]
        fn a_code_that_is_not_in_the_table_means_nothing(codes in any_codes(), code in "[7-9A-Z]{1,4}") {
            if let Ok(table) = Vocabulary::new("t", &codes) {
                prop_assert_eq!(table.hear(&code), None);
            }
        }
    }
}
