//! Answers to writes that change decisions.

use axum::{
    http::{HeaderName, HeaderValue},
    response::{IntoResponse, Response},
};

use crate::model::Revision;

/// Adds `Deodar-Revision: N`, which a check can ask for by `at_least_revision`.
pub struct Revised<T>(pub Revision, pub T);

impl<T: IntoResponse> IntoResponse for Revised<T> {
    fn into_response(self) -> Response {
        let name = HeaderName::from_static("deodar-revision");
        ([(name, HeaderValue::from(self.0.0))], self.1).into_response()
    }
}
