//! The signing keys of a node, and the public key sets of others.
//!
//! Floor 1.
