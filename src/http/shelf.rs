//! The published catalogue as it is shown: with its revision, a tag by which a reader knows that it is unchanged, and the
//! index that finds things in it. Made anew with each revision.

use std::sync::Arc;

use aws_lc_rs::digest;
use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    catalog::{Catalog, SearchIndex},
    revisions::Current,
};

/// Characters of the files' hash in the tag: enough to tell every catalogue from every other.
const HASH_CHARS: usize = 32;

#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) revision: i64,
    pub(super) catalog: Arc<Catalog>,
    pub(super) index: SearchIndex,
    tag: HeaderValue,
}

impl Shelf {
    pub(super) fn new(current: &Current) -> Self {
        let hash = current.revision.hash.get(..HASH_CHARS).unwrap_or(&current.revision.hash);
        // Another version of the program may show the same files otherwise.
        let tag = format!("\"{}-{hash}-{}\"", current.revision.number, env!("CARGO_PKG_VERSION"));
        Self {
            revision: current.revision.number,
            catalog: Arc::clone(&current.catalog),
            index: SearchIndex::new(&current.catalog),
            tag: HeaderValue::try_from(tag).unwrap_or(HeaderValue::from_static("\"\"")),
        }
    }

    /// What was asked for, or 304 where the asker has it already.
    pub(super) fn tagged(&self, headers: &HeaderMap, body: impl FnOnce() -> Response) -> Response {
        tagged(&self.tag, headers, body)
    }
}

/// What was asked for under its tag, or 304 where the asker has it already (RFC 9110 section 13.1.2). Others may not keep it,
/// and the asker asks again each time.
fn tagged(tag: &HeaderValue, headers: &HeaderMap, body: impl FnOnce() -> Response) -> Response {
    let known = is_known(tag, headers);
    let mut response = if known { StatusCode::NOT_MODIFIED.into_response() } else { body() };
    if response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED {
        let headers = response.headers_mut();
        headers.insert(header::ETAG, tag.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    }
    response
}

/// The same for what changes with more than the catalogue: the tag is that of the text itself.
pub(super) fn tagged_by_content(headers: &HeaderMap, kind: &'static str, text: String) -> Response {
    let hash = hex::encode(digest::digest(&digest::SHA256, text.as_bytes()));
    let tag = HeaderValue::try_from(format!("\"{}\"", &hash[..HASH_CHARS]));
    let tag = tag.unwrap_or(HeaderValue::from_static("\"\""));
    tagged(&tag, headers, || ([(header::CONTENT_TYPE, kind)], text).into_response())
}

fn is_known(tag: &HeaderValue, headers: &HeaderMap) -> bool {
    let tags = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut tags = tags.flat_map(|list| list.split(',')).map(str::trim);
    tags.any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one).as_bytes() == tag.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_who_has_it_is_told_so() {
        let shelf = Shelf {
            revision: 1,
            catalog: Arc::new(crate::catalog::load_from([("a.yaml".to_owned(), "nodes: []\n".to_owned())]).unwrap()),
            index: SearchIndex::new(
                &crate::catalog::load_from([("a.yaml".to_owned(), "nodes: []\n".to_owned())]).unwrap(),
            ),
            tag: HeaderValue::from_static("\"1-ab\""),
        };
        for (said, status) in [
            (None, 200),
            (Some("\"1-ab\""), 304),
            (Some("W/\"1-ab\""), 304),
            (Some("\"x\", \"1-ab\""), 304),
            (Some("*"), 304),
            (Some("\"1-abc\""), 200),
            (Some("1-ab"), 200),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(said) = said {
                headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static(said));
            }
            let answer = shelf.tagged(&headers, || "body".into_response());
            assert_eq!(answer.status().as_u16(), status, "{said:?}");
            assert_eq!(answer.headers()[header::ETAG], "\"1-ab\"");
        }
    }
}
