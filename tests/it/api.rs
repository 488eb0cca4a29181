//! The JSON API through a real socket; one file per path.

mod verifications;
