//! What may be shown of a value whose field is masked, by the customary conventions.
//!
//! | style          | value                       | shown                  |
//! |----------------|-----------------------------|------------------------|
//! | name           | 张三, 张三丰                | 张*, 张*丰             |
//! | name           | 欧阳修                      | 欧**                   |
//! | name           | 阿卜杜拉·买买提, John Smith | 阿***, J***            |
//! | resident ID    | 440100188912310015          | 440100********0015     |
//! | phone          | 13812341234                 | 138****1234            |
//! | address        | 广东省广州市天河区体育西路  | 广东省广州市天河区**** |
//! | licence number | JY34401010000001            | JY****01               |
//! | whole          | anything                    | ****                   |
//!
//! Promises: what is hidden is not in the result, nor how long it was, save for short names and resident IDs, whose length
//! everybody knows. A value too short for its style, or not of the kind the style is for, is hidden as a whole.

mod address;

use unicode_normalization::UnicodeNormalization;

use super::spelling::{is_han, is_invisible};
use crate::catalog::{MaskStyle, Value};

/// All that is shown of a value that is hidden as a whole; of one length, so that it tells no length.
const WHOLE: &str = "****";

/// The double surnames that are still met. Behind one, the last of three characters would be the whole given name.
const DOUBLE_SURNAMES: [&str; 24] = [
    "欧阳", "歐陽", "司马", "司馬", "上官", "诸葛", "諸葛", "东方", "東方", "皇甫", "尉迟", "公孙", "公孫", "慕容",
    "令狐", "宇文", "长孙", "司徒", "司空", "夏侯", "端木", "轩辕", "独孤", "南宫",
];

/// The value as it may be shown.
pub fn mask(style: MaskStyle, value: &Value) -> String {
    let Value::Text(text) = value else { return WHOLE.to_owned() };
    // One unit a character as it is drawn: what takes no room is left out, accents are joined to their letters.
    let characters: Vec<char> = text.trim().chars().filter(|c| !is_invisible(*c)).nfc().collect();
    match style {
        MaskStyle::Name => name(&characters),
        MaskStyle::ResidentId => resident_id(&characters),
        MaskStyle::Phone => phone(&characters),
        MaskStyle::Address => address::mask(&characters),
        MaskStyle::LicenceNumber => licence_number(&characters),
        MaskStyle::Whole => WHOLE.to_owned(),
    }
}

fn name(characters: &[char]) -> String {
    match characters {
        [] | [_] => WHOLE.to_owned(),
        [first, _] if is_chinese(characters) => format!("{first}*"),
        [first, second, last] if is_chinese(characters) => {
            let surname = String::from_iter([first, second]);
            if DOUBLE_SURNAMES.contains(&surname.as_str()) { format!("{first}**") } else { format!("{first}*{last}") }
        }
        // A long name, or one of another script: the first character, and no telling how many follow.
        [first, ..] => format!("{first}***"),
    }
}

fn is_chinese(characters: &[char]) -> bool {
    characters.iter().all(|c| is_han(*c))
}

fn resident_id(characters: &[char]) -> String {
    keep_ends(characters, 6, 4, |hidden| "*".repeat(hidden))
}

fn licence_number(characters: &[char]) -> String {
    keep_ends(characters, 2, 2, |_| WHOLE.to_owned())
}

/// The digits alone, so that neither blanks nor hyphens shift what is hidden; without the country code of China.
fn phone(characters: &[char]) -> String {
    let digits: Vec<char> = characters.iter().copied().nfkc().filter(char::is_ascii_digit).collect();
    let national = match digits.as_slice() {
        ['8', '6', rest @ ..] if rest.len() == 11 => rest,
        all => all,
    };
    if national.len() < 11 {
        return WHOLE.to_owned(); // Seven shown digits of ten or fewer would leave too little to guess.
    }
    keep_ends(national, 3, 4, |_| WHOLE.to_owned())
}

/// The first and the last few characters, if at least four lie between them.
fn keep_ends(characters: &[char], head: usize, tail: usize, stars: impl Fn(usize) -> String) -> String {
    let hidden = characters.len().saturating_sub(head + tail);
    if hidden < WHOLE.len() {
        return WHOLE.to_owned();
    }
    let (first, last) = (&characters[..head], &characters[head + hidden..]);
    String::from_iter(first) + &stars(hidden) + &String::from_iter(last)
}

#[cfg(test)]
mod tests;
