//! The engine against Cedar's own authorizer, against a model without Cedar, and against bad input.

#![expect(clippy::expect_used, reason = "a test may stop")]

mod bundles;
mod exported;
mod faults;
mod metamorphic;
mod naive;
mod outcomes;
mod roundtrip;
mod slice;
mod snapshots;
mod why;
mod world;
mod written;
