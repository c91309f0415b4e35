//! Deodar: OpenID Connect provider and Cedar policy decision point in one binary.

pub mod model;
pub mod policy;
