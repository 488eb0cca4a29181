//! Where what must be transactional is kept.

use std::{fmt, str::FromStr};

use url::Url;

use super::key::{Rule, subject};

subject! {
    /// Where accounts, applications, agreements and whatever else must be transactional are kept.
    "ledger" => LedgerSettings {
        /// `file` for `ledger.sqlite` in `paths.data`, or a PostgreSQL database that several replicas share, `postgres://user@host/database`. A password does not stand here: it comes from `PGPASSWORD`, or from the file that `PGPASSFILE` names.
        "store" => store: LedgerStore = Rule::Text { default: "file", shape: "`file` or `postgres://` address" };
    }
}

/// `file`, or a PostgreSQL database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LedgerStore {
    File,
    Postgres(Url),
}

impl FromStr for LedgerStore {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "file" {
            return Ok(Self::File);
        }
        let forms = "Write `file`, or an address such as `postgres://shuqiao@db.example/shuqiao`";
        let url: Url = text.parse().map_err(|_| format!("is no address. {forms}"))?;
        if !["postgres", "postgresql"].contains(&url.scheme()) {
            return Err(format!("has the scheme `{}`. {forms}", url.scheme()));
        }
        if url.password().is_some() || url.query_pairs().any(|(name, _)| name == "password") {
            return Err("has a password in it. Take it out; set `PGPASSWORD`, or `PGPASSFILE` to a file".to_owned());
        }
        Ok(Self::Postgres(url))
    }
}

impl fmt::Display for LedgerStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => f.write_str("file"),
            Self::Postgres(url) => f.write_str(url.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ledger_is_the_file_or_a_database_without_a_password() {
        for text in ["file", "postgres://node@db.example/ledger", "postgresql:///ledger?host=/run/postgresql"] {
            assert_eq!(text.parse::<LedgerStore>().unwrap().to_string(), text);
        }
        for text in
            ["", "ledger.sqlite", "mysql://x/y", "postgres://a:hunter2@db/x", "postgres://db/x?password=hunter2"]
        {
            let reason = text.parse::<LedgerStore>().unwrap_err();
            assert!(!reason.contains("hunter2"), "{reason}");
        }
    }
}
