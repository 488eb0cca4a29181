//! Keys: what can be set, each declared once for the code, its documentation and the settings page.
//!
//! `subject!` makes of one declaration the struct of a subject, its rustdoc, the list of its keys and their reading.

use super::limits::Limit;

/// Prefix of the environment variables.
pub(super) const VARIABLE_PREFIX: &str = "SHUQIAO_";

/// One key of the settings file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Key {
    /// `http`, or `issuers[]` for a key that each element of a list has.
    pub(super) section: &'static str,
    /// `body_bytes_max`.
    pub(super) name: &'static str,
    /// A sentence or two, as written above the field.
    pub(super) meaning: &'static str,
    pub(super) rule: Rule,
}

/// What is accepted, and what holds where nothing was said.
#[derive(Clone, Copy, Debug)]
pub(super) enum Rule {
    /// A text of the named shape.
    Text { default: &'static str, shape: &'static str },
    /// A text that has no sensible default.
    Required { shape: &'static str },
    /// A text that, left out, is that of another key.
    SameAs { key: &'static str, shape: &'static str },
    /// A list of texts.
    List { default: &'static [&'static str], shape: &'static str },
    /// A list of texts that has no sensible default.
    RequiredList { shape: &'static str },
    /// A whole number within bounds.
    Number(&'static Limit),
}

impl Key {
    /// `http.listen`, or `issuers[].issuer`.
    pub(super) fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }

    /// `SHUQIAO_HTTP__LISTEN`; elements of a list have no variable.
    pub(super) fn variable(&self) -> Option<String> {
        (!self.section.ends_with("[]"))
            .then(|| format!("{VARIABLE_PREFIX}{}__{}", self.section, self.name).to_ascii_uppercase())
    }
}

/// Declare a subject: `"key" field: Type = rule`. The sentence above a field is its documentation everywhere.
macro_rules! subject {
    (
        $(#[doc = $about:literal])+
        $section:literal => $subject:ident {
            $( $(#[doc = $meaning:literal])+ $key:literal => $field:ident: $type:ty = $rule:expr; )+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $subject {
            $(
                $(#[doc = $meaning])+
                #[doc = ""]
                #[doc = concat!("Key `", $section, ".", $key, "`; unit, default, bounds and variable: `docs/configuration.md`.")]
                pub $field: $type,
            )+
        }

        impl $subject {
            pub(super) const KEYS: &'static [crate::config::key::Key] = &[
                $( crate::config::key::Key {
                    section: $section,
                    name: $key,
                    meaning: concat!($($meaning),+),
                    rule: $rule,
                } ),+
            ];

            /// Read every key, so that every complaint is found; the subject exists if none was.
            pub(super) fn read(reader: &mut crate::config::read::Reader<'_>) -> Option<Self> {
                let mut keys = Self::KEYS.iter();
                $( let $field = keys.next().and_then(|key| reader.take::<$type>(key)); )+
                Some(Self { $( $field: $field? ),+ })
            }
        }
    };
}

pub(super) use subject;
