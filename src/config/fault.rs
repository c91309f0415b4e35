//! What is wrong with a configuration, for a person who is about to edit it.

use std::fmt;

/// One fault of one variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The variable, or the file `.env`.
    pub variable: String,
    /// What is wrong and what to write instead. Never the value of a secret.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.variable, self.message)
    }
}

/// Every fault that one reading found; prints one line for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors(Vec<Fault>);

impl ConfigErrors {
    pub(super) fn new(faults: Vec<Fault>) -> Self {
        Self(faults)
    }

    /// The faults in the order in which they were found; at least one.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.0
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (line, fault) in self.0.iter().enumerate() {
            write!(f, "{}{fault}", if line == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// User input inside a message.
pub(super) fn shown(input: &str) -> String {
    format!("`{}`", one_line(input))
}

/// User input on one line, short, and without back-ticks of its own.
pub(super) fn one_line(input: &str) -> String {
    const LONGEST: usize = 80;
    let plain = |c: char| if c.is_control() || c == '`' { '?' } else { c };
    let mut text: String = input.chars().take(LONGEST).map(plain).collect();
    if input.chars().count() > LONGEST {
        text.push('…');
    }
    text
}
