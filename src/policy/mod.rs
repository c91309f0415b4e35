//! The engine: which Cedar policies exist, which of them a request has to be judged by, and what Cedar says.
//!
//! Pure: no async, no SQL, no HTTP, no clock. Files become a [`Bundle`]; a bundle, roles and grants become a
//! [`Snapshot`]; a snapshot answers a [`Question`] with a [`Verdict`].

mod bundle;
mod core;
mod decision_tests;
mod diagnostic;
mod evaluate;
mod explain;
mod export;
mod generate;
mod grants;
mod handwritten;
mod holds;
mod load;
mod slice;
mod snapshot;
mod value;
mod vocabulary;

pub use cedar_policy::Context;

pub use self::{
    bundle::{Bundle, Files, OWN_SCHEMA, OWN_SCHEMA_PATH, compile},
    core::{FlatEntity, Value, context},
    decision_tests::{CaseResult, run_tests},
    diagnostic::{CompileError, Diagnostic, Severity},
    evaluate::{PolicyError, Question, Verdict},
    explain::{Nearest, Reason},
    export::{Exported, export},
    generate::{GRANT_PREFIX, GrantFault, GrantSource, NoPolicy, faults, list, policy},
    load::Loader,
    slice::{Candidates, Resource},
    snapshot::{Delta, Holder, Role, RoleIx, Snapshot, StoredGrant},
    value::{Mistyped, SESSION, attributes, entity_ref, session},
    vocabulary::{Action, ActionIx, EntityType, Unknown, Vocabulary, nearest, parse_entity},
};
