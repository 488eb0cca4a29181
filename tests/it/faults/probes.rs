//! Start-up probes.
