//! HTTP plumbing that every face uses.

mod address;
pub mod browser;
mod caller;
pub mod dpop;
mod event;
mod extract;
mod origin;
mod page;
mod presented;
mod problem;
pub mod profile;
mod request_log;
mod revised;

pub use self::{
    address::{ClientAddress, TokenLimit},
    caller::{Caller, is_live, refusal},
    event::EventView,
    extract::{Body, Object, OptionalBody, Params, PathOf, nullable},
    origin::origin,
    page::{Cursor, Page},
    presented::{Presented, Scheme},
    problem::{ApiError, FieldFault, Problem},
    request_log::{RequestId, track},
    revised::Revised,
};
