//! Deodar: OpenID Connect provider and Cedar policy decision point in one binary.

pub mod config;
pub mod model;
pub mod pdp;
pub mod policy;
pub mod store;
pub mod telemetry;
