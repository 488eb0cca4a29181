//! Codes of information resources: the guideline on compiling catalogues of government information resources (2017).

use std::{fmt, str::FromStr, sync::Arc};

use super::{
    IdentifierError,
    text::{folded, serde_as_text},
};

const KIND: &str = "resource code";

/// Digits of class (1), item (2) and section (3), which every code has.
const HEAD_DIGITS: usize = 6;
/// Digits of the detail, at most.
const DETAIL_DIGITS_MAX: usize = 6;
const SERIAL_DIGITS_MAX: usize = 10;

/// The code of an information resource (信息资源代码), such as `101001/000001`.
///
/// Holds: class (类, 1 base, 2 theme, 3 department), item (项, two digits), section (目, three), detail (细目, none to
/// six), a slash, a serial number of one to ten digits. Of class 1 the item is one of the five base registers.
///
/// ```
/// use shuqiao::identifiers::ResourceCode;
/// assert!("101001/000001".parse::<ResourceCode>().is_ok());
/// assert!("401001/000001".parse::<ResourceCode>().is_err()); // there is no class 4
/// assert!("109001/000001".parse::<ResourceCode>().is_err()); // there is no ninth base register
/// assert!("101001".parse::<ResourceCode>().is_err()); // no serial number
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResourceCode(Arc<str>);

/// What a resource is sorted under first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ResourceClass {
    /// 基础信息资源: population, legal entities, geography, credit, licences.
    Base,
    /// 主题信息资源: what several departments keep together.
    Theme,
    /// 部门信息资源: what one department keeps.
    Department,
}

impl ResourceClass {
    /// In Chinese and in English.
    pub fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Base => ("基础信息资源", "base resources"),
            Self::Theme => ("主题信息资源", "theme resources"),
            Self::Department => ("部门信息资源", "department resources"),
        }
    }
}

impl ResourceCode {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// 类.
    pub fn class(&self) -> ResourceClass {
        match self.0.as_bytes()[0] {
            b'1' => ResourceClass::Base,
            b'2' => ResourceClass::Theme,
            _ => ResourceClass::Department,
        }
    }

    /// Class and 项: what a catalogue is leafed through by, such as `101`.
    pub fn theme(&self) -> &str {
        &self.0[..3]
    }

    /// 目.
    pub fn section(&self) -> &str {
        &self.0[3..HEAD_DIGITS]
    }

    /// 细目; often empty.
    pub fn detail(&self) -> &str {
        let slash = self.0.find('/').unwrap_or(HEAD_DIGITS);
        &self.0[HEAD_DIGITS..slash]
    }

    /// The name of the theme in Chinese and in English, where the guideline gives it one.
    pub fn theme_names(&self) -> Option<(&'static str, &'static str)> {
        Some(match self.theme() {
            "101" => ("人口", "population"),
            "102" => ("法人单位", "legal entities"),
            "103" => ("自然资源和空间地理", "natural resources and geography"),
            "104" => ("社会信用", "social credit"),
            "105" => ("电子证照", "electronic licences"),
            _ => return None,
        })
    }
}

fn wrong(reason: &str) -> IdentifierError {
    IdentifierError::new(KIND, reason)
}

impl FromStr for ResourceCode {
    type Err = IdentifierError;

    fn from_str(text: &str) -> Result<Self, IdentifierError> {
        let folded = folded(text);
        let text: &str = folded.as_ref();
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let Some((head, serial)) = text.split_once('/') else {
            return Err(wrong("a resource code has a slash before its serial number, such as 101001/000001"));
        };
        if !(HEAD_DIGITS..=HEAD_DIGITS + DETAIL_DIGITS_MAX).contains(&head.len()) || !digits(head) {
            return Err(wrong("a resource code begins with 6 to 12 digits: class, item, section and detail"));
        }
        if !(1..=SERIAL_DIGITS_MAX).contains(&serial.len()) || !digits(serial) {
            return Err(wrong("the serial number of a resource code has 1 to 10 digits"));
        }
        let code = Self(text.into());
        match &head[..1] {
            "1" if code.theme_names().is_none() => {
                Err(wrong("the base registers are 101 to 105: population, legal entities, geography, credit, licences"))
            }
            "1" | "2" | "3" => Ok(code),
            _ => Err(wrong("the class, the first digit, is 1 (base), 2 (theme) or 3 (department)")),
        }
    }
}

impl fmt::Debug for ResourceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResourceCode({})", self.0)
    }
}

serde_as_text!(ResourceCode);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_code_is_taken_apart_as_the_guideline_says() {
        let code: ResourceCode = "30200312/0007".parse().unwrap();
        assert_eq!(code.class(), ResourceClass::Department);
        assert_eq!((code.theme(), code.section(), code.detail()), ("302", "003", "12"));
        let base: ResourceCode = "105001/1".parse().unwrap();
        assert_eq!((base.class(), base.theme_names().unwrap().0, base.detail()), (ResourceClass::Base, "电子证照", ""));
    }

    #[test]
    fn what_is_no_code_says_which_part_is_wrong() {
        for (text, reason) in [
            ("101001", "slash"),
            ("10100/1", "begins with 6 to 12 digits"),
            ("1010011234567/1", "begins with 6 to 12 digits"),
            ("10100a/1", "begins with 6 to 12 digits"),
            ("101001/", "serial number"),
            ("101001/12345678901", "serial number"),
            ("101001/1/2", "serial number"),
            ("001001/1", "first digit"),
            ("106001/1", "base registers"),
        ] {
            let error = text.parse::<ResourceCode>().unwrap_err();
            assert!(error.reason.contains(reason), "{text}: {error}");
        }
    }

    proptest! {
        #[test]
        fn a_code_reads_as_it_is_printed(text in "[123]0[1-5][0-9]{3}[0-9]{0,6}/[0-9]{1,10}") {
            prop_assert_eq!(text.parse::<ResourceCode>().unwrap().to_string(), text);
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC{0,24}|[0-9/１]{0,24}") {
            if let Ok(code) = text.parse::<ResourceCode>() {
                prop_assert_eq!(code.as_str().parse::<ResourceCode>().unwrap(), code.clone());
                prop_assert!(code.as_str().starts_with(code.theme()) && code.detail().len() <= 6);
            }
        }
    }
}
