//! Errors that a person can do something about: they are told in the form that they came from.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};

use crate::{
    accounts::Error,
    web::{
        ApiError,
        browser::{Notice, PageError, sentence},
    },
};

/// What is wrong with a form, and with which fields.
#[derive(Debug, Default)]
pub struct Faults {
    /// For the whole form.
    pub notice: Notice,
    fields: Vec<(String, String)>,
    status: StatusCode,
    wait: Option<u64>,
}

impl Faults {
    /// Something about the whole form.
    pub fn new(text: &str) -> Self {
        Self { notice: Notice::wrong(text), status: StatusCode::UNPROCESSABLE_ENTITY, ..Self::default() }
    }

    /// Nothing wrong, but something to tell.
    pub fn told(notice: Notice) -> Self {
        Self { notice, ..Self::default() }
    }

    /// One faulty field.
    pub fn field(name: &str, error: impl std::fmt::Display) -> Self {
        let mut faults = Self::new(MARKED);
        faults.fields.push((name.to_owned(), sentence(&error.to_string())));
        faults
    }

    /// Both.
    pub fn and(mut self, other: Self) -> Self {
        self.fields.extend(other.fields);
        self
    }

    /// Takes an error apart. `wrong` is what to say when a password or a code is.
    ///
    /// # Errors
    /// The error as a page of its own, when the form cannot help.
    pub fn of(error: Error, wrong: &str) -> Result<Self, PageError> {
        match error {
            Error::Wrong => Ok(Self::new(wrong)),
            Error::Throttled { wait } => Ok(Self {
                status: StatusCode::TOO_MANY_REQUESTS,
                wait: Some(wait),
                ..Self::new(&format!("Too many attempts. Try again in {}.", seconds(wait)))
            }),
            Error::Busy { wait } => {
                let wait = wait.as_secs() + 1;
                Ok(Self {
                    status: StatusCode::SERVICE_UNAVAILABLE,
                    wait: Some(wait),
                    ..Self::new(&format!("Many people are signing in just now. Try again in {}.", seconds(wait)))
                })
            }
            Error::NotRecent => Ok(Self::field(PASSWORD, "to go on, give your password once more")),
            Error::Conflict(text) => Ok(Self::new(&sentence(text))),
            other => Self::read(other.into()),
        }
    }

    /// The fields that an error is about.
    ///
    /// # Errors
    /// As [`Faults::of`].
    pub fn read(error: ApiError) -> Result<Self, PageError> {
        let ApiError::Unprocessable(faults) = error else { return Err(error.into()) };
        let mut all = Self::new(MARKED);
        all.fields.extend(faults.into_iter().map(|fault| (fault.field, sentence(&fault.message))));
        Ok(all)
    }

    /// What is wrong with a field, a line each; empty when nothing is.
    pub fn about(&self, field: &str) -> String {
        let texts = self.fields.iter().filter(|(name, _)| name == field).map(|(_, text)| text.as_str());
        texts.collect::<Vec<_>>().join("\n")
    }

    /// Whether any field is marked.
    pub fn mark_fields(&self) -> bool {
        !self.fields.is_empty()
    }

    /// The page, with the status that these faults have.
    pub fn answer(&self, page: Response) -> Response {
        let mut response = page;
        *response.status_mut() = self.status;
        if let Some(wait) = self.wait {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(wait));
        }
        response
    }
}

/// The field of a password, as [`ApiError`] names it too.
pub const PASSWORD: &str = "password";

const MARKED: &str = "Please look at what is marked below.";

fn seconds(wait: u64) -> String {
    match wait {
        0 | 1 => "a second".to_owned(),
        2..=90 => format!("{wait} seconds"),
        _ => format!("{} minutes", wait.div_ceil(60)),
    }
}
