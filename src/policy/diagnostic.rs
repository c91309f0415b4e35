//! What is wrong with a bundle or a condition, and where.

use std::fmt;

use serde::Serialize;

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The bundle cannot be used.
    Error,
    /// It can, but something in it is probably not meant.
    Warning,
}

/// One finding in one file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// Path inside the bundle: `policies/x.cedar`.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// Error or warning.
    pub severity: Severity,
    /// What is wrong, and what to write instead where that is known.
    pub message: String,
}

/// A bundle, or a part of one, was refused.
#[derive(Clone, Debug, thiserror::Error)]
pub struct CompileError {
    /// At least one of them an error.
    pub diagnostics: Vec<Diagnostic>,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, diagnostic) in self.diagnostics.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            diagnostic.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}:{}:{}: {severity}: {}", self.file, self.line, self.column, self.message)
    }
}

impl Diagnostic {
    /// An error about the file as a whole.
    pub fn whole(file: &str, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), line: 1, column: 1, severity: Severity::Error, message: message.into() }
    }

    /// An error at a byte offset of the file.
    pub fn at(file: &str, source: &str, offset: usize, message: impl Into<String>) -> Self {
        let (line, column) = position(source, offset);
        Self { file: file.to_owned(), line, column, severity: Severity::Error, message: message.into() }
    }

    /// Takes a finding of Cedar's over, with its position and its advice.
    pub fn from_cedar(file: &str, source: &str, severity: Severity, finding: &dyn miette::Diagnostic) -> Self {
        let offset = finding.labels().and_then(|mut labels| labels.next()).map_or(0, |label| label.offset());
        let (line, column) = position(source, offset);
        Self { file: file.to_owned(), line, column, severity, message: message(finding) }
    }

    /// The finding with the line it is about, for a terminal.
    pub fn render(&self, source: Option<&str>) -> String {
        let Some(line) = source.and_then(|text| text.lines().nth(self.line - 1)) else { return self.to_string() };
        let shown: String = line.chars().map(|c| if c == '\t' { ' ' } else { c }).collect();
        let number = self.line.to_string();
        let margin = " ".repeat(number.len());
        let gap = " ".repeat(self.column - 1);
        format!("{self}\n{margin} |\n{number} | {shown}\n{margin} | {gap}^")
    }
}

/// Cedar's message with the label and the help it keeps apart, and without its lead-in, which names the policy: a
/// finding has a place of its own, and nobody wrote the name of a generated policy.
pub fn message(finding: &dyn miette::Diagnostic) -> String {
    let text = finding.to_string();
    let rest = text.strip_prefix("for policy `").and_then(|rest| rest.split_once("`, "));
    let mut text = rest.map_or(text.as_str(), |(_, rest)| rest).to_owned();
    let label = finding.labels().and_then(|mut labels| labels.next()).and_then(|l| l.label().map(str::to_owned));
    for extra in label.into_iter().chain(finding.help().map(|help| help.to_string())) {
        if !text.contains(&extra) {
            text.push_str("; ");
            text.push_str(&extra);
        }
    }
    text
}

fn position(source: &str, offset: usize) -> (usize, usize) {
    let mut end = offset.min(source.len());
    while !source.is_char_boundary(end) {
        end -= 1;
    }
    let before = &source[..end];
    let start = before.rfind('\n').map_or(0, |n| n + 1);
    (before.matches('\n').count() + 1, before[start..].chars().count() + 1)
}
