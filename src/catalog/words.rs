//! The catalogue's own words for its values: as its files spell them, and so do the API, the exports and the diffs.

use super::{Comparator, Disclosure, Format, MaskStyle, OpenAttribute, SharingAttribute, SharingMode, UpdateCycle};

macro_rules! words {
    ($($name:ident { $($variant:ident = $word:literal),+ $(,)? })+) => {
        $(impl $name {
            /// Every one of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// As the files of a catalogue spell it.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The one that is spelt so.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        })+

        #[cfg(test)]
        mod tests {
            use super::*;

            #[test]
            fn a_word_is_that_of_one_value() {
                $(for one in $name::ALL {
                    assert_eq!($name::from_word(one.word()), Some(*one));
                    assert_eq!($name::from_word(&one.word().to_uppercase()), None);
                })+
            }
        }
    };
}

words! {
    SharingAttribute { Unconditional = "unconditional", Conditional = "conditional", NotShared = "not_shared" }
    UpdateCycle {
        RealTime = "real_time", Daily = "daily", Weekly = "weekly", Monthly = "monthly", Quarterly = "quarterly",
        HalfYearly = "half_yearly", Yearly = "yearly", Irregular = "irregular",
    }
    Comparator { Exact = "exact", Name = "name", Date = "date", Code = "code", Number = "number" }
    Disclosure {
        Plain = "plain", Masked = "masked", CompareOnly = "compare_only", AggregateOnly = "aggregate_only",
        JoinKeyOnly = "join_key_only", Never = "never",
    }
    MaskStyle {
        Name = "name", ResidentId = "resident_id", Phone = "phone", Address = "address",
        LicenceNumber = "licence_number", Whole = "whole",
    }
    Format {
        Database = "database", Spreadsheet = "spreadsheet", Document = "document", Image = "image", Stream = "stream",
        SelfDescribing = "self_describing",
    }
    SharingMode {
        ServiceInterface = "service_interface", BatchExchange = "batch_exchange", FileDownload = "file_download",
    }
    OpenAttribute { Open = "open", Conditional = "conditional", NotOpen = "not_open" }
}
