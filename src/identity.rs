//! Who is calling: tokens, assertions, clients. Never what they may do.
//!
//! Floor 2: may use `identifiers`, `problem`, `keys` and `ledger`. A client proves itself by a signed assertion
//! (RFC 7523) and gets an access token of five minutes (RFC 9068); each call carries that token. Tokens of other issuers
//! are taken where the node is told to. Start reading at [`Verifier::verify`].
//!
//! Promises: the algorithm is the key's, never the token's word for it; a token has one spelling; a text that is
//! refused says why without repeating the token; a suspended client is refused as soon as
//! [`ClientDirectory::refresh`] has run.

pub mod assertion;
mod compact;
mod directory;
mod error;
mod fetch;
mod foreign;
mod issuer;
mod jwks;
mod rules;
mod verifier;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod hostile;

pub use directory::ClientDirectory;
pub use error::{IdentityError, Refusal};
pub use foreign::{ClientClaim, ForeignIssuer};
pub use issuer::{IssuedToken, Issuer, TokenRequest};
pub use jwks::{Algorithm, KeySet};
pub use rules::TokenRules;
pub use verifier::{Caller, Verifier};
