//! Addresses, shown down to the county or district.
//!
//! Reads the leading units one by one (province, city, county) and stops at the first text that is none. What is not
//! understood is hidden, so a name that it does not know costs a level of detail and never shows one too many.

use super::{super::spelling::is_han, WHOLE};

/// Longest name of a unit: 双江拉祜族佤族布朗族傣族自治县 has 15 characters.
const UNIT_CHARS_MAX: usize = 15;

/// The leading units, then stars, whether anything follows or not.
pub(super) fn mask(address: &[char]) -> String {
    String::from_iter(&address[..shown(address)]) + WHOLE
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Unit {
    Province,
    /// A prefecture, or a county-level city below one.
    City,
    County,
}

/// How many characters are shown.
fn shown(address: &[char]) -> usize {
    let (mut end, mut above) = (0, None);
    while let Some((length, unit)) = next_unit(&address[end..]) {
        match (above, unit) {
            (Some(_), Unit::Province) => break, // A province stands first or it is none.
            (_, Unit::County) | (Some(Unit::City), Unit::City) => return end + length,
            (_, Unit::City) | (None, Unit::Province) => (end, above) = (end + length, Some(unit)),
        }
    }
    end
}

/// The unit that the text begins with, and its length.
fn next_unit(text: &[char]) -> Option<(usize, Unit)> {
    for (position, &c) in text.iter().enumerate().take(UNIT_CHARS_MAX) {
        let (before, after) = (&text[..position], &text[position + 1..]);
        if !is_han(c) {
            return None; // A house number, or nothing that this file knows how to read.
        }
        if before.is_empty() {
            continue; // Units have a name, and 镇 begins some: 镇海区.
        }
        if let Some(unit) = unit_at(before, c, after) {
            // The district 梅县区 has a county in its name.
            let longer = matches!(c, '县' | '縣') && matches!(after.first(), Some('区' | '區'));
            return Some((position + 1 + usize::from(longer), unit));
        }
        if is_of_a_street(c) {
            return None;
        }
    }
    None
}

/// Is `c` the last character of a unit's name, between what stands before and after it?
fn unit_at(before: &[char], c: char, after: &[char]) -> Option<Unit> {
    // 市场, 市民广场, 市政路, 东区街道, 县道 are names of places, not units.
    let followed_by = |any: &str| after.first().is_some_and(|next| any.contains(*next));
    let preceded_by = |any: &str| before.last().is_some_and(|last| any.contains(*last));
    match c {
        '省' => Some(Unit::Province),
        '区' | '區' if before.ends_with(&['自', '治']) || before.ends_with(&['行', '政']) => Some(Unit::Province),
        '区' | '區' if before.ends_with(&['地']) => Some(Unit::City),
        // 小区, 社区, 园区, 工业区 and the like lie within a district; 镇区 is the middle of a town.
        '区' | '區' if followed_by("街") || preceded_by("小社园園校厂廠景库庫宅住业業片镇鎮") => {
            None
        }
        '区' | '區' => Some(Unit::County),
        '县' | '縣' => (!followed_by("道")).then_some(Unit::County),
        '旗' => preceded_by("治左右前中后後").then_some(Unit::County),
        '市' if before.len() == 1 && followed_by("区區") => None, // The district 沙市区.
        '市' => (!followed_by("场場民政")).then_some(Unit::City),
        '州' => before.ends_with(&['自', '治']).then_some(Unit::City),
        '盟' => preceded_by("安勒善").then_some(Unit::City), // 兴安, 锡林郭勒, 阿拉善: there are no others.
        _ => None,
    }
}

/// Does the character show that a town, a street or a house has been reached? Some names of counties have it too
/// (宁乡市, 七里河区); they are hidden.
fn is_of_a_street(c: char) -> bool {
    "乡鄉镇鎮街路道巷村里弄号號园園苑".contains(c)
}
