//! The DataFusion engine: keyed look-ups and ordinary SQL over published versions.
//!
//! Floor 2. The only module that names DataFusion types.
