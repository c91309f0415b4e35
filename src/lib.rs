//! Deodar: OpenID Connect provider and Cedar policy decision point in one binary.
//!
//! *Faces* speak HTTP to one audience each, over a core that they share. A module uses modules of lower lines only;
//! `tests/architecture.rs` makes this true.
//!
//! | line | modules |
//! |--:|---|
//! | 1 | [`model`]: the words of the domain |
//! | 2 | [`config`]: every setting; [`telemetry`]: logs and metrics |
//! | 3 | [`crypto`]; [`fetch`]: requests to others; [`mail`]: outgoing mail; [`policy`]: the engine; [`store`]: all SQL |
//! | 4 | [`farewell`]: word to clients that sessions ended; [`pdp`]: the decision point; [`post`]: mail that waits |
//! | 5 | [`accounts`]: use cases about people; [`tokens`]: access tokens |
//! | 6 | [`app`]: the one handle |
//! | 7 | [`web`]: HTTP plumbing |
//! | 8 | [`account`], [`admin`], [`authz`], [`oauth`], [`ops`], [`pages`]: the faces; [`dev`]: the zero-configuration mode |
//! | 9 | [`routes`]: every route and layer |
//! | 10 | [`cli`]: the commands |

pub mod account;
pub mod accounts;
pub mod admin;
pub mod app;
pub mod authz;
pub mod cli;
pub mod config;
pub mod crypto;
pub mod dev;
pub mod farewell;
pub mod fetch;
pub mod mail;
pub mod model;
pub mod oauth;
pub mod ops;
pub mod pages;
pub mod pdp;
pub mod policy;
pub mod post;
pub mod routes;
pub mod store;
pub mod telemetry;
pub mod tokens;
pub mod web;

/// What a token costs is in part what its many small pieces cost to allocate: a client credentials answer takes 7 % less
/// processor time than with glibc's allocator (`cargo bench --bench oauth -- client_credentials`). It stands here so that
/// the binary, the tests and the benchmarks have the same one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
