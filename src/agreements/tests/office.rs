//! A desk with Guangdong's catalogue, a ledger, and people.

use chrono::{DateTime, Utc};

use super::super::{Agreements, Desk, Review, Wish};
use crate::{
    calendar::Calendar,
    catalog::Catalog,
    config::ClockSettings,
    identifiers::Role,
    ledger::{Actor, Ledger},
};

pub(super) const APPROVAL: &str = "gz-administrative-approval";
pub(super) const LABOUR: &str = "gz-human-resources";
pub(super) const POLICE: &str = "gd-public-security";
pub(super) const MARKET: &str = "gd-market-regulation";
pub(super) const CREDIT: &str = "gd-development-reform";

pub(super) const HUKOU: &str = "11440100MB9YYY997R3440101001000";
pub(super) const FOOD: &str = "11440100MB9YYY997R3440101002000";
pub(super) const BENEFIT: &str = "11440100MB9Y01019T3440514001000";
pub(super) const SUBSIDY: &str = "11440100MB9Y01019T3440514002000";
pub(super) const CHANGE: &str = "11440000MB9Y0002402440125001000";

pub(super) struct Office {
    pub(super) ledger: Ledger,
    pub(super) catalog: Catalog,
    pub(super) agreements: Agreements,
    pub(super) calendar: Calendar,
    pub(super) clocks: ClockSettings,
}

impl Office {
    /// An office where nothing is declared.
    pub(super) fn new(ledger: Ledger) -> Self {
        let calendar = Calendar::built_in().unwrap();
        let clocks = ClockSettings {
            unconditional_days: 1,
            review_days: 10,
            sharing_days: 20,
            extension_days_max: 10,
            escalation_days: 5,
            objection_days: 10,
        };
        Self { ledger, catalog: super::guangdong(), agreements: Agreements::default(), calendar, clocks }
    }

    pub(super) fn desk(&self) -> Desk<'_> {
        let Self { ledger, catalog, agreements, calendar, clocks } = self;
        Desk { ledger, catalog, agreements, calendar, clocks }
    }
}

pub(super) fn person(account: &str, department: &str, roles: &[Role]) -> Actor {
    Actor {
        account: account.parse().unwrap(),
        department: department.parse().unwrap(),
        roles: roles.iter().copied().collect(),
    }
}

/// Ten in the morning in China.
pub(super) fn at(day: &str) -> DateTime<Utc> {
    format!("{day}T10:00:00+08:00").parse().unwrap()
}

pub(super) fn wish(dataset: &str, items: &[&str], compare: &[&str], disclose: &[&str]) -> Wish {
    let texts = |list: &[&str]| list.iter().map(|&text| text.to_owned()).collect();
    Wish {
        dataset: dataset.to_owned(),
        items: texts(items),
        compare: texts(compare),
        disclose: texts(disclose),
        legal_basis: "《户口登记条例》第十条".to_owned(),
        scenario: "窗口核验".to_owned(),
        mode: "service_interface".to_owned(),
        calls_per_second: 5,
        calls_per_day: 2000,
        valid_from: "2026-03-02".to_owned(),
        valid_until: "2026-12-31".to_owned(),
    }
}

pub(super) fn hukou() -> Wish {
    wish("natural-person", &[HUKOU], &["resident_id", "name", "birth_date"], &["name"])
}

pub(super) fn approve() -> Review {
    Review { verdict: "approve".to_owned(), reason: "符合共享条件".to_owned(), ..Review::default() }
}

pub(super) fn reject() -> Review {
    Review {
        verdict: "reject".to_owned(),
        reason: "办理该事项无需此数据".to_owned(),
        ground: Some("not_necessary".to_owned()),
        law: Some("《政务数据共享条例》第二十一条".to_owned()),
        ..Review::default()
    }
}

pub(super) fn ask() -> Review {
    Review { verdict: "ask".to_owned(), reason: "是否留存？".to_owned(), ..Review::default() }
}

pub(super) fn extend(days: u32) -> Review {
    Review {
        verdict: "extend".to_owned(),
        reason: "需现场核查".to_owned(),
        working_days: Some(days),
        consent: Some("省政数局 2026-03-10 同意".to_owned()),
        ..Review::default()
    }
}
