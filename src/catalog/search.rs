//! Finding datasets and items by words, Chinese ones too.
//!
//! In memory, made anew with each catalogue. Chinese is written without spaces, so nothing is cut into words: a text is
//! found by any part of it, and an index of pairs of characters tells which texts to look at. Full-width forms and case
//! do not matter (NFKC).
//!
//! Promises: any part of a text that is searched finds it; the same question is answered in the same order.

use std::collections::{BTreeSet, HashMap};

use unicode_normalization::UnicodeNormalization;

use super::{Bilingual, Catalog, Dataset, Department, Entry as Published, FieldKind, Item};
use crate::identifiers::{DatasetId, ItemCode};

/// What a search is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Dataset(DatasetId),
    Item(ItemCode),
}

/// One result; the higher the score, the better.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit<T = Target> {
    pub target: T,
    pub score: u32,
}

/// Terms of a question that are looked at; the rest says nothing more.
const TERMS_MAX: usize = 16;
/// Characters of a question that are looked at.
const QUESTION_CHARS_MAX: usize = 200;

/// How much a text counts, by what it is.
const CODE: u32 = 100;
const NAME: u32 = 80;
const FIELD: u32 = 30;
const SUMMARY: u32 = 20;
const OTHER: u32 = 10;

/// What can be found in a catalogue, or in several: then `T` tells whose it is.
#[derive(Debug)]
pub struct SearchIndex<T = Target> {
    entries: Vec<Entry<T>>,
    /// Which entries have a pair of neighbouring characters somewhere.
    pairs: HashMap<(char, char), Vec<usize>>,
}

#[derive(Debug)]
struct Entry<T> {
    target: T,
    /// Folded, with how much each counts.
    texts: Vec<(String, u32)>,
}

impl SearchIndex {
    pub fn new(catalog: &Catalog) -> Self {
        let provider = |dataset: &Dataset| catalog.departments.get(&dataset.provider);
        let datasets = catalog
            .datasets
            .values()
            .map(|dataset| entry(Target::Dataset(dataset.id.clone()), of_dataset(dataset, provider(dataset))));
        Self::of(datasets.chain(catalog.items.values().map(|item| of_item(catalog, item))).collect())
    }
}

impl<T: Clone + Ord> SearchIndex<T> {
    /// Of datasets that may be those of several nodes.
    pub fn of_entries<'e>(entries: impl IntoIterator<Item = (T, &'e Published)>) -> Self {
        let one = |(target, it): (T, &Published)| entry(target, of_dataset(&it.dataset, Some(&it.provider)));
        Self::of(entries.into_iter().map(one).collect())
    }

    fn of(entries: Vec<Entry<T>>) -> Self {
        let mut pairs: HashMap<_, Vec<usize>> = HashMap::new();
        for (number, entry) in entries.iter().enumerate() {
            let all: BTreeSet<_> = entry.texts.iter().flat_map(|(text, _)| pairs_of(text)).collect();
            for pair in all {
                pairs.entry(pair).or_default().push(number);
            }
        }
        Self { entries, pairs }
    }

    /// What answers every term of the question, the best first. A question without a term finds nothing.
    pub fn search(&self, question: &str) -> Vec<Hit<T>> {
        let question: String = question.chars().take(QUESTION_CHARS_MAX).collect();
        let question = folded(&question);
        let terms: Vec<&str> = question.split_whitespace().take(TERMS_MAX).collect();
        let Some((first, others)) = terms.split_first() else { return Vec::new() };
        let scored = self.candidates(first).into_iter().filter_map(|number| {
            let entry = &self.entries[number];
            let mut score = entry.score(first)?;
            for term in others {
                score += entry.score(term)?;
            }
            Some(Hit { target: entry.target.clone(), score })
        });
        let mut hits: Vec<Hit<T>> = scored.collect();
        hits.sort_by(|one, other| other.score.cmp(&one.score).then_with(|| one.target.cmp(&other.target)));
        hits
    }

    /// The entries that may answer a term: those that have one of its pairs; all, where it is a single character.
    fn candidates(&self, term: &str) -> BTreeSet<usize> {
        let mut pairs = pairs_of(term).peekable();
        if pairs.peek().is_none() {
            return (0..self.entries.len()).collect();
        }
        pairs.filter_map(|pair| self.pairs.get(&pair)).flatten().copied().collect()
    }
}

impl<T> Entry<T> {
    /// How well the entry answers a term; not at all, where no text has it or most of its pairs.
    fn score(&self, term: &str) -> Option<u32> {
        self.texts.iter().filter_map(|(text, weight)| Some(closeness(text, term)? * weight)).max()
    }
}

/// 1 to 10: the whole text, its beginning, a part of it, or only most pairs of the term.
fn closeness(text: &str, term: &str) -> Option<u32> {
    if text == term {
        return Some(10);
    }
    if text.starts_with(term) {
        return Some(7);
    }
    if text.contains(term) {
        return Some(5);
    }
    let (mut all, mut there) = (0_u32, 0_u32);
    for (first, second) in pairs_of(term) {
        all += 1;
        let mut buffer = String::with_capacity(8);
        buffer.extend([first, second]);
        there += u32::from(text.contains(&buffer));
    }
    // `户籍信息` finds `户籍地址信息`. Of two pairs one alone would find nearly everything.
    (all >= 3 && there * 3 >= all * 2).then_some(2)
}

fn pairs_of(text: &str) -> impl Iterator<Item = (char, char)> {
    text.chars().zip(text.chars().skip(1)).filter(|(first, second)| !first.is_whitespace() && !second.is_whitespace())
}

fn folded(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).collect()
}

fn of_dataset(dataset: &Dataset, provider: Option<&Department>) -> Vec<(String, u32)> {
    let mut texts = vec![(dataset.id.as_str().to_owned(), CODE), (dataset.code.as_str().to_owned(), CODE)];
    both(&mut texts, &dataset.name, NAME);
    both(&mut texts, &dataset.summary, SUMMARY);
    if let Some(provider) = provider {
        both(&mut texts, &provider.name, OTHER);
    }
    if let Some((zh, en)) = dataset.code.theme_names() {
        texts.extend([(zh.to_owned(), OTHER), (en.to_owned(), OTHER)]);
    }
    for field in &dataset.fields {
        texts.extend([(field.name.as_str().to_owned(), FIELD), (field.element.clone(), FIELD)]);
        both(&mut texts, &field.title, FIELD);
        if let FieldKind::Code { values } = &field.kind {
            texts.extend(values.iter().map(|(_, meaning)| (meaning.clone(), OTHER)));
        }
    }
    texts
}

fn of_item(catalog: &Catalog, item: &Item) -> Entry<Target> {
    let mut texts = vec![(item.code.as_str().to_owned(), CODE)];
    both(&mut texts, &item.name, NAME);
    if let Some(department) = catalog.departments.get(&item.department) {
        both(&mut texts, &department.name, OTHER);
    }
    for material in &item.materials {
        both(&mut texts, &material.name, FIELD);
    }
    entry(Target::Item(item.code.clone()), texts)
}

fn both(texts: &mut Vec<(String, u32)>, words: &Bilingual, weight: u32) {
    texts.extend([(words.zh.clone(), weight), (words.en.clone(), weight)]);
}

fn entry<T>(target: T, texts: Vec<(String, u32)>) -> Entry<T> {
    Entry { target, texts: texts.into_iter().map(|(text, weight)| (folded(&text), weight)).collect() }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::LazyLock};

    use proptest::prelude::*;

    use super::*;
    use crate::catalog::load;

    static INDEX: LazyLock<SearchIndex> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("catalogs/guangdong");
        SearchIndex::new(&load(&folder).unwrap())
    });

    fn datasets(question: &str) -> Vec<String> {
        let ids = INDEX.search(question).into_iter().filter_map(|hit| match hit.target {
            Target::Dataset(id) => Some(id.to_string()),
            Target::Item(_) => None,
        });
        ids.collect()
    }

    #[test]
    fn chinese_and_english_words_codes_and_elements_find_what_they_name() {
        for (question, first) in [
            ("自然人", "natural-person"),
            ("自然人基础信息", "natural-person"),
            ("电子证照", "e-licence"),
            ("ｅ－ｌｉｃｅｎｃｅ", "e-licence"),
            ("Natural PERSONS", "natural-person"),
            ("gmsfhm", "natural-person"),
            ("104001/000001", "social-credit"),
            ("婚姻", "natural-person"),
            ("失信被执行人 公共信用", "social-credit"),
            ("持证主体", "e-licence"),
            ("法人基础信息", "legal-entity"),
        ] {
            let found = datasets(question);
            assert_eq!(found.first().map(String::as_str), Some(first), "{question}: {found:?}");
        }
    }

    #[test]
    fn every_term_must_be_answered_and_no_term_finds_nothing() {
        assert!(datasets("自然人 汽车").is_empty());
        assert!(datasets("").is_empty() && datasets("  　").is_empty() && datasets("不存在的词").is_empty());
        assert!(datasets("婚").contains(&"natural-person".to_owned()), "one character");
        assert!(datasets(&"长".repeat(100_000)).is_empty());
    }

    #[test]
    fn items_are_found_by_name_material_and_code() {
        let first = |question: &str| INDEX.search(question).into_iter().next().map(|hit| hit.target);
        let hukou = Target::Item("11440100MB9YYY997R3440101001000".parse().unwrap());
        assert_eq!(first("11440100MB9YYY997R3440101001000"), Some(hukou.clone()));
        assert_eq!(first("户口迁入"), Some(hukou));
        assert!(INDEX.search("营业执照").iter().any(|hit| matches!(hit.target, Target::Item(_))));
    }

    proptest! {
        #[test]
        fn any_part_of_a_text_finds_its_entry(entry in any::<prop::sample::Index>(), text in any::<prop::sample::Index>(), from in any::<prop::sample::Index>(), length in 1..20usize) {
            let entry = entry.get(&INDEX.entries);
            let (text, _) = text.get(&entry.texts);
            let characters: Vec<char> = text.chars().collect();
            let from = from.index(characters.len());
            let part: String = characters[from..].iter().take(length).collect();
            prop_assume!(!part.trim().is_empty());
            prop_assert!(INDEX.search(&part).iter().any(|hit| hit.target == entry.target), "{part}");
        }

        #[test]
        fn results_stand_in_one_order_each_once(question in "\\PC{0,30}|[人口法证照a-e ]{0,12}") {
            let hits = INDEX.search(&question);
            let targets: BTreeSet<_> = hits.iter().map(|hit| hit.target.clone()).collect();
            prop_assert_eq!(targets.len(), hits.len());
            let in_order = |one: &Hit, next: &Hit| one.score > next.score || (one.score == next.score && one.target < next.target);
            prop_assert!(hits.windows(2).all(|pair| in_order(&pair[0], &pair[1])));
            prop_assert_eq!(hits, INDEX.search(&question));
        }
    }
}
