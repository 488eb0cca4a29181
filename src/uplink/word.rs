//! What can be said to, and heard from, a platform above: our outcomes, and why there is none.

use crate::{
    problem::Code,
    verification::{Outcome, Reason},
};

/// One thing that a code of another platform can mean.
///
/// An outage, a missing record and a wrong claim are three words: whoever takes one for another refuses a citizen for
/// somebody else's fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Word {
    /// 一致: every claim holds.
    Match,
    /// 不一致: at least one claim does not hold.
    Mismatch,
    /// 库中无此号: the register was asked and has no such record.
    NotFound,
    /// 状态异常: the record is of somebody dead, cancelled or locked.
    Abnormal,
    /// 数据陈旧: the data is too old to tell.
    Stale,
    /// 无法判定: the register was asked, and neither yes nor no can be said.
    Undecided,
    /// 服务不可用: the register could not be asked.
    Unavailable,
    /// 无权限: the caller may not ask this.
    Denied,
    /// 超配额: the caller has asked too often.
    Quota,
    /// 参数不合法: the question is not one.
    Invalid,
}

/// Words that may share a code without doing harm. Over the border between two kinds none may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Match,
    Mismatch,
    NotFound,
    /// Neither yes nor no: the window goes on without the answer.
    NoAnswer,
    /// The caller's side is to be mended.
    Refused,
}

impl Word {
    pub const ALL: [Self; 10] = [
        Self::Match,
        Self::Mismatch,
        Self::NotFound,
        Self::Abnormal,
        Self::Stale,
        Self::Undecided,
        Self::Unavailable,
        Self::Denied,
        Self::Quota,
        Self::Invalid,
    ];

    /// As it stands in the file of vocabularies and in `data.word` of an answer.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Match => "match",
            Self::Mismatch => "mismatch",
            Self::NotFound => "not_found",
            Self::Abnormal => "abnormal",
            Self::Stale => "stale",
            Self::Undecided => "undecided",
            Self::Unavailable => "unavailable",
            Self::Denied => "denied",
            Self::Quota => "quota",
            Self::Invalid => "invalid",
        }
    }

    /// As the platforms put it.
    pub const fn in_chinese(self) -> &'static str {
        match self {
            Self::Match => "一致",
            Self::Mismatch => "不一致",
            Self::NotFound => "库中无此号",
            Self::Abnormal => "状态异常",
            Self::Stale => "数据陈旧，无法判定",
            Self::Undecided => "无法判定",
            Self::Unavailable => "服务不可用",
            Self::Denied => "无权限",
            Self::Quota => "超配额",
            Self::Invalid => "参数不合法",
        }
    }

    pub const fn kind(self) -> Kind {
        match self {
            Self::Match => Kind::Match,
            Self::Mismatch => Kind::Mismatch,
            Self::NotFound => Kind::NotFound,
            Self::Abnormal | Self::Stale | Self::Undecided | Self::Unavailable => Kind::NoAnswer,
            Self::Denied | Self::Quota | Self::Invalid => Kind::Refused,
        }
    }

    /// The word for an outcome of ours.
    pub const fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Match => Self::Match,
            Outcome::Mismatch => Self::Mismatch,
            Outcome::NotFound => Self::NotFound,
            Outcome::Indeterminate(reason) => match reason {
                Reason::SourceUnavailable
                | Reason::DeadlineExceeded
                | Reason::NotPublished
                | Reason::HolderRefused
                | Reason::HolderUnknown => Self::Unavailable,
                Reason::RecordNotOrdinary => Self::Abnormal,
                Reason::Stale => Self::Stale,
                Reason::NoValue
                | Reason::Ambiguous
                | Reason::RareCharacter
                | Reason::NotUnderstood
                | Reason::OutsideDivision => Self::Undecided,
            },
        }
    }

    /// The word for a refusal of ours.
    pub const fn of_refusal(code: Code) -> Self {
        match code {
            Code::RateLimited | Code::QuotaExceeded | Code::EnumerationSlowed | Code::EnumerationBlocked => Self::Quota,
            Code::MalformedBody
            | Code::InvalidValue
            | Code::UnsupportedMediaType
            | Code::BodyTooLarge
            | Code::UnknownField
            | Code::Replayed => Self::Invalid,
            Code::TokenMissing
            | Code::TokenInvalid
            | Code::ClientRejected
            | Code::TokenRequestInvalid
            | Code::SignatureRefused
            | Code::UnknownService
            | Code::Denied
            | Code::RoleRequired
            | Code::CallerSuspended
            | Code::NotShared => Self::Denied,
            _ => Self::Unavailable, // What is left is the node's own fault or state, whatever codes will come.
        }
    }

    /// What was heard, as an outcome of ours.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Match => Outcome::Match,
            Self::Mismatch => Outcome::Mismatch,
            Self::NotFound => Outcome::NotFound,
            Self::Abnormal => Outcome::Indeterminate(Reason::RecordNotOrdinary),
            Self::Stale => Outcome::Indeterminate(Reason::Stale),
            Self::Undecided => Outcome::Indeterminate(Reason::NotUnderstood),
            Self::Unavailable => Outcome::Indeterminate(Reason::SourceUnavailable),
            Self::Denied | Self::Quota | Self::Invalid => Outcome::Indeterminate(Reason::HolderRefused),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_said_and_heard_again_is_of_the_same_kind() {
        let ours = [Outcome::Match, Outcome::Mismatch, Outcome::NotFound];
        let all = ours.into_iter().chain(Reason::ALL.map(Outcome::Indeterminate));
        for outcome in all {
            let heard = Word::of(&outcome).outcome();
            assert_eq!(std::mem::discriminant(&heard), std::mem::discriminant(&outcome), "{outcome:?}");
        }
    }

    #[test]
    fn no_refusal_and_no_outage_is_heard_as_yes_no_or_not_found() {
        for code in Code::ALL {
            let word = Word::of_refusal(*code);
            assert!(matches!(word.kind(), Kind::NoAnswer | Kind::Refused), "{code}");
            assert!(matches!(word.outcome(), Outcome::Indeterminate(_)), "{code}");
        }
    }
}
