//! Names as they are common in Guangdong, put together at random.

use super::Dice;

/// Surnames with weights (roughly per thousand).
const SURNAMES: &[(&str, u32)] = &[
    ("陈", 106),
    ("李", 80),
    ("黄", 76),
    ("张", 50),
    ("梁", 48),
    ("林", 46),
    ("刘", 46),
    ("吴", 38),
    ("罗", 26),
    ("杨", 26),
    ("何", 25),
    ("王", 25),
    ("郑", 22),
    ("谢", 20),
    ("周", 20),
    ("曾", 18),
    ("朱", 17),
    ("许", 16),
    ("邓", 15),
    ("叶", 15),
    ("蔡", 14),
    ("冯", 13),
    ("苏", 12),
    ("钟", 12),
    ("彭", 11),
    ("卢", 11),
    ("郭", 10),
    ("赖", 9),
    ("麦", 7),
    ("莫", 7),
    ("邱", 7),
    ("温", 7),
    ("廖", 7),
    ("古", 5),
    ("关", 5),
    ("区", 4),
    ("冼", 3),
    ("植", 1),
    ("欧阳", 5),
    ("司徒", 2),
];
/// Given-name characters of those born until 1969, from 1970 to 1994, and since; for women and men.
const WOMEN: [&[&str]; 3] = [
    &["兰", "英", "珍", "玉", "秀", "桂", "凤", "莲", "娇", "妹", "金", "梅", "琼", "银", "好", "月"],
    &["丽", "燕", "敏", "静", "婷", "芳", "娟", "玲", "红", "霞", "晓", "慧", "艳", "雪", "文", "云"],
    &["欣", "怡", "梓", "涵", "诗", "琪", "雨", "桐", "思", "语", "嘉", "颖", "晴", "悦", "可", "彤"],
];
const MEN: [&[&str]; 3] = [
    &["国", "建", "华", "明", "德", "伟", "荣", "金", "福", "水", "生", "志", "文", "光", "平", "胜"],
    &["伟", "强", "军", "勇", "杰", "斌", "辉", "锋", "健", "俊", "志", "浩", "鹏", "凯", "家", "锐"],
    &["浩", "宇", "轩", "梓", "睿", "子", "俊", "熙", "泽", "晨", "博", "文", "皓", "嘉", "霖", "航"],
];
/// Names of minorities carry a middle dot; one in five hundred.
const DOTTED: &[&str] = &["阿依古丽", "迪丽娜尔", "买买提", "艾山", "古丽娜", "扎西", "卓玛", "吐尔逊"];
const DOTTED_IN_TEN_THOUSAND: u64 = 20;
/// Two characters of given name rather than one.
const TWO_IN_TEN_THOUSAND: u64 = 8_200;

const FIRM_WORDS: &[&str] =
    &["粤", "华", "鹏", "珠", "南", "海", "恒", "信", "达", "盛", "嘉", "泰", "新", "联", "创", "宏"];
const FIRM_TRADES: &[&str] =
    &["科技", "贸易", "建筑工程", "餐饮", "物流", "电子", "服装", "家具", "医药", "教育咨询", "农业"];

pub(super) fn surname(dice: &mut Dice) -> &'static str {
    dice.weighted(SURNAMES)
}

pub(super) fn person(dice: &mut Dice, is_woman: bool, birth_year: i32) -> String {
    if dice.in_ten_thousand(DOTTED_IN_TEN_THOUSAND) {
        return format!("{}·{}", dice.pick(DOTTED), dice.pick(DOTTED));
    }
    let surname = surname(dice);
    format!("{surname}{}", given(dice, is_woman, birth_year))
}

fn given(dice: &mut Dice, is_woman: bool, birth_year: i32) -> String {
    let era = match birth_year {
        ..=1969 => 0,
        1970..=1994 => 1,
        _ => 2,
    };
    let characters = if is_woman { WOMEN[era] } else { MEN[era] };
    let mut name = (*dice.pick(characters)).to_owned();
    if dice.in_ten_thousand(TWO_IN_TEN_THOUSAND) {
        name.push_str(dice.pick::<&str>(characters));
    }
    name
}

pub(super) fn firm(dice: &mut Dice, place: &str, kind: &str) -> String {
    let (first, second) = (dice.pick(FIRM_WORDS), dice.pick(FIRM_WORDS));
    let trade = dice.pick(FIRM_TRADES);
    match kind {
        "92" => format!("{place}{first}{second}{trade}店"),
        "93" => format!("{place}{first}{second}种养专业合作社"),
        _ => format!("{place}{first}{second}{trade}有限公司"),
    }
}
