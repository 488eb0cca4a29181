//! The settings page, `docs/configuration.md`, written from the same declarations that the code reads.

use super::{
    key::{Key, Rule},
    known_keys,
    limits::{Limit, Unit},
    read::{amount, unit_name},
};

const HEAD: &str = "\
# Configuration

Generated from `src/config/`; a test holds this page and the code equal. Regenerate it with
`REGENERATE=1 cargo t --test it tidy`.

Settings come from three places, and the later one wins: the settings file (`--config FILE`, TOML), environment variables
(`SHUQIAO_<SECTION>__<KEY>`), flags of a command. `shuqiao settings` prints each value and where it came from.

- An unknown key or variable is refused, and the nearest known one suggested. All complaints are printed at once.
- A relative path in the file (or a default) is meant from the file's folder; one in a variable or flag from the working
  directory.
- Numbers are whole, in the unit of the table. Bytes may also be written as `\"64 KiB\"`, `\"64 MiB\"` or `\"2 GiB\"`.
- No setting is a secret: private keys are files in `paths.data`, readable by the node alone. Credentials of an object store
  are read from the variables that every S3 client reads (`AWS_...`) and are never printed.
- `SHUQIAO_CONFIG` and `SHUQIAO_DIR` name the settings file and the node's folder; they are read by the command line.

| Key | Default | Unit | Variable | Meaning |
|---|---|---|---|---|
";

const BOUNDS_HEAD: &str = "
## Bounds

A number outside its bounds is refused.

| Key | From | To | Why |
|---|---|---|---|
";

const TAIL: &str = "
## What must go together

| Rule | Why |
|---|---|
| `lookup.deadline_ms` < `http.request_ms_max` | a late look-up must still be recorded, signed and sent |
| `http.header_ms_max` ≤ `http.request_ms_max` | headers are a part of the request |
| `enumeration.warn_score` < `enumeration.slow_score` < `enumeration.block_score` | a client is warned of before it is slowed, and slowed before it is blocked |
| `http.request_ms_max` ≤ `http.shutdown_grace_ms` | a call that was accepted must be able to finish |
| `tables.store` in S3 needs `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY`, or another source of credentials | without them every request would be refused |
| `issuers[].issuer` is neither `node.url` nor listed twice | a name must lead to one set of keys |
";

/// The whole page, as it stands in `docs/configuration.md`.
pub fn page() -> String {
    let rows: String = known_keys().map(row).collect();
    let bounds: String = known_keys().filter_map(bounds_row).collect();
    format!("{HEAD}{rows}{BOUNDS_HEAD}{bounds}{TAIL}")
}

fn row(key: &Key) -> String {
    let (default, unit) = match key.rule {
        Rule::Text { default, shape } => (format!("`{default}`"), shape),
        Rule::Required { shape } | Rule::RequiredList { shape } => ("must be set".to_owned(), shape),
        Rule::SameAs { key, shape } => (format!("that of `{key}`"), shape),
        Rule::List { default, shape } => (format!("`{default:?}`"), shape),
        Rule::Number(limit) => (default_number(limit), unit_name(limit.unit)),
    };
    let variable = key.variable().map_or("file only".to_owned(), |name| format!("`{name}`"));
    format!("| `{}` | {default} | {unit} | {variable} | {} |\n", key.path(), meaning(key))
}

fn bounds_row(key: &Key) -> Option<String> {
    let Rule::Number(limit) = key.rule else { return None };
    let (least, most) = (amount(limit.least, limit.unit), amount(limit.most, limit.unit));
    Some(format!("| `{}` | {least} | {most} | {} |\n", key.path(), limit.why))
}

fn default_number(limit: &Limit) -> String {
    match limit.unit {
        Unit::Bytes => format!("`{}` ({})", limit.default, amount(limit.default, limit.unit)),
        Unit::Milliseconds | Unit::Seconds | Unit::Count(_) => format!("`{}`", limit.default),
    }
}

/// A declaration's lines begin with the blank after `///`.
fn meaning(key: &Key) -> &str {
    key.meaning.trim()
}
