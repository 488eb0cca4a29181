//! Where published tables are: a folder of this node, or an object store with a cache before it.

use std::{fmt, str::FromStr};

use url::Url;

use super::{
    key::{Rule, subject},
    limits,
    value::store_url,
};

subject! {
    /// Where published tables are.
    "tables" => TableSettings {
        /// `folder` for `tables` in `paths.data`, or the place of the tables in an S3 store, `s3://bucket/prefix`. Credentials and region come from the usual variables: `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION` and so on.
        "store" => store: TableStore = Rule::Text { default: "folder", shape: "`folder` or `s3://` address" };
        /// Address of the S3 store; `https`, or `http` on this machine. `aws`: that of Amazon, or of `AWS_ENDPOINT_URL`.
        "endpoint" => endpoint: StoreEndpoint = Rule::Text { default: "aws", shape: "`aws` or URL" };
        /// What of the store's files is kept in `cache` in `paths.data`, at most. Above it, files that are no longer served go first, then those used longest ago.
        "cache_bytes_max" => cache_bytes_max: u64 = Rule::Number(&limits::CACHE_BYTES);
        /// What is fetched from the store at once, at least.
        "cache_block_bytes" => cache_block_bytes: u64 = Rule::Number(&limits::CACHE_BLOCK_BYTES);
    }
}

/// `folder`, or a bucket and the folder in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TableStore {
    Folder,
    S3 {
        bucket: String,
        /// Without slashes at either end; may be empty.
        prefix: String,
    },
}

impl FromStr for TableStore {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "folder" {
            return Ok(Self::Folder);
        }
        let rest = text.strip_prefix("s3://").ok_or("write `folder`, or an address such as `s3://bucket/prefix`")?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
        if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(plain) {
            return Err(format!(
                "`{bucket}` is no bucket. Its name has 3 to 63 lower-case letters, digits, hyphens or dots"
            ));
        }
        let prefix = prefix.trim_end_matches('/');
        let good = |part: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || "-._=".contains(c);
            !part.is_empty() && part != "." && part != ".." && part.chars().all(plain)
        };
        if !prefix.is_empty() && !prefix.split('/').all(good) {
            return Err(format!(
                "`{prefix}` is no prefix. Write names of letters, digits, `-`, `.`, `_` or `=` with `/` between them"
            ));
        }
        Ok(Self::S3 { bucket: bucket.to_owned(), prefix: prefix.to_owned() })
    }
}

impl fmt::Display for TableStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder => f.write_str("folder"),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

/// Whom to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreEndpoint {
    /// Amazon, or whoever the variables name.
    Aws,
    Url(Url),
}

impl FromStr for StoreEndpoint {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "aws" { Ok(Self::Aws) } else { store_url(text).map(Self::Url) }
    }
}

impl fmt::Display for StoreEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aws => f.write_str("aws"),
            Self::Url(url) => f.write_str(url.as_str().trim_end_matches('/')),
        }
    }
}

/// The `AWS_` variables of this process, as any S3 client takes them. Some are secrets, so they are never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct StoreVariables(Vec<(String, String)>);

impl StoreVariables {
    pub(super) fn new(variables: Vec<(String, String)>) -> Self {
        Self(variables)
    }

    pub fn all(&self) -> &[(String, String)] {
        &self.0
    }
}

impl fmt::Debug for StoreVariables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.0.iter().map(|(name, _)| (name, "[secret]"))).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_is_the_folder_or_a_bucket_with_a_prefix() {
        for text in ["folder", "s3://registers", "s3://registers/guangdong", "s3://registers/gd/2026.a_b=c"] {
            assert_eq!(text.parse::<TableStore>().unwrap().to_string(), text);
        }
        assert_eq!("s3://registers/gd/".parse::<TableStore>().unwrap().to_string(), "s3://registers/gd");
        for text in [
            "",
            "/srv/tables",
            "s3:/registers",
            "s3://",
            "s3://UP",
            "s3://ab",
            "s3://registers/../x",
            "s3://registers//x",
            "s3://registers/a b",
        ] {
            assert!(text.parse::<TableStore>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_endpoint_is_encrypted_or_on_this_machine() {
        for (text, good) in [
            ("aws", true),
            ("https://minio.example", true),
            ("http://127.0.0.1:9000", true),
            ("http://minio.example", false),
            ("minio.example", false),
        ] {
            assert_eq!(text.parse::<StoreEndpoint>().is_ok(), good, "{text}");
        }
    }

    #[test]
    fn secrets_are_not_shown() {
        let variables = StoreVariables(vec![("AWS_SECRET_ACCESS_KEY".to_owned(), "hunter2".to_owned())]);
        let shown = format!("{variables:?}");
        assert!(shown.contains("AWS_SECRET_ACCESS_KEY") && !shown.contains("hunter2"), "{shown}");
    }
}
