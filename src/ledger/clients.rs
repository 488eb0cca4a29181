//! Registered clients: systems of a department, each with its own public keys.
