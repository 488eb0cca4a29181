//! Platforms above: calls in their manner, answered and made.

mod inbound;
mod outbound;
mod papers;
