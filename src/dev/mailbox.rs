//! `/dev/mail`: what the server would have sent.

use askama::Template;
use axum::{
    Json, Router,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::Html,
    routing::get,
};
use tower_http::set_header::SetResponseHeaderLayer;
use uuid::Uuid;

use crate::mail::{Kept, Mailbox};

#[derive(Template)]
#[template(path = "dev/mailbox.html")]
struct List {
    mails: Vec<Kept>,
}

#[derive(Template)]
#[template(path = "dev/mail.html")]
struct One {
    mail: Kept,
}

/// The pages, and `GET /dev/mail.json`: every mail, newest first.
pub fn routes(mailbox: Mailbox) -> Router {
    // The frame of a mail inherits the policy, so a mail can load nothing; its sandbox runs no script.
    let policy = HeaderValue::from_static(
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    );
    Router::new()
        .route("/dev/mail", get(list))
        .route("/dev/mail/{id}", get(one))
        .route("/dev/mail.json", get(json))
        .layer(SetResponseHeaderLayer::overriding(header::CONTENT_SECURITY_POLICY, policy))
        .layer(SetResponseHeaderLayer::overriding(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")))
        .layer(SetResponseHeaderLayer::overriding(header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .with_state(mailbox)
}

async fn list(State(mailbox): State<Mailbox>) -> Result<Html<String>, StatusCode> {
    page(&List { mails: mailbox.list() })
}

async fn one(State(mailbox): State<Mailbox>, Path(id): Path<Uuid>) -> Result<Html<String>, StatusCode> {
    page(&One { mail: mailbox.find(id).ok_or(StatusCode::NOT_FOUND)? })
}

async fn json(State(mailbox): State<Mailbox>) -> Json<Vec<Kept>> {
    Json(mailbox.list())
}

fn page(template: &impl Template) -> Result<Html<String>, StatusCode> {
    template.render().map(Html).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)
}
