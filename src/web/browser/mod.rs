//! People in a browser: cookies, forms that only our own pages can send, and answers in HTML.
//!
//! Promises. Every page works without a script and loads nothing from elsewhere (N-030). A form counts only when it
//! carries what this very browser was given with the page (N-172). Where a person goes on after signing in is a path of
//! ours, never an address that a stranger chose.

mod assets;
mod cookies;
mod error;
mod field;
mod form;
mod frame;
mod return_to;
mod screens;
mod visit;

pub(super) use self::error::{error_page, is_page, navigates};
pub use self::{
    assets::assets,
    error::{PageError, PageResult, sentence},
    field::{Field, Notice},
    form::PageForm,
    frame::{Frame, html, see_other},
    return_to::{ReturnTo, source},
    screens::{Consent, DeviceCode, DeviceConfirm, FormPost, Message, Scope, SignOut},
    visit::{Browser, browse, enter, leave, renew, wait},
};
