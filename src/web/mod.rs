//! HTTP plumbing that every face uses.

mod address;
mod caller;
mod extract;
mod origin;
mod page;
mod problem;
mod request_log;
mod revised;

pub use self::{
    address::{ClientAddress, TokenLimit},
    caller::{Caller, is_live, refusal},
    extract::{Body, Object, Params, PathOf},
    origin::origin,
    page::{Cursor, Page},
    problem::{ApiError, FieldFault, Problem},
    request_log::{RequestId, track},
    revised::Revised,
};
