//! Statistics over Flight SQL: which statements are answered, to whom, and what is written down of them.

mod door;
mod nodes;
pub(crate) mod scene;
mod statements;
