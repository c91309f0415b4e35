//! How the text of a variable becomes a value. A parser says on failure what to write instead; parsers of secrets
//! never repeat their input.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

pub(super) use lettre::message::Mailbox;
use tracing_subscriber::EnvFilter;
use url::Url;

use super::fault::shown;
use crate::model::{RoleName, Secret};

/// Nothing, or what `parse` makes of it.
pub(super) fn optional<T>(parse: impl Fn(&str) -> Result<T, String>) -> impl Fn(&str) -> Result<Option<T>, String> {
    move |text| {
        if text.is_empty() { Ok(None) } else { parse(text).map(Some) }
    }
}

/// Nothing for `off`, or what `parse` makes of it.
pub(super) fn or_off<T>(parse: impl Fn(&str) -> Result<T, String>) -> impl Fn(&str) -> Result<Option<T>, String> {
    move |text| {
        if text == "off" { Ok(None) } else { parse(text).map(Some).map_err(|why| why + ", or `off`") }
    }
}

/// Values with commas between them; the first bad one is reported.
pub(super) fn list<T>(parse: impl Fn(&str) -> Result<T, String>) -> impl Fn(&str) -> Result<Vec<T>, String> {
    move |text| text.split(',').map(str::trim).filter(|item| !item.is_empty()).map(&parse).collect()
}

/// One of a few words.
pub(super) fn choice<T: Copy>(words: &'static [(&'static str, T)]) -> impl Fn(&str) -> Result<T, String> {
    move |text| {
        words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            format!("{} is not a choice; write {}", shown(text), words.join(" or "))
        })
    }
}

/// A whole number within bounds.
pub(super) fn number<T>(bounds: RangeInclusive<T>) -> impl Fn(&str) -> Result<T, String>
where
    T: FromStr + PartialOrd + Display,
{
    move |text| match text.parse() {
        Ok(number) if bounds.contains(&number) => Ok(number),
        _ => Err(format!(
            "{} does not fit; write a whole number from {} to {}",
            shown(text),
            bounds.start(),
            bounds.end()
        )),
    }
}

/// The name of a role.
pub(super) fn role_name(text: &str) -> Result<RoleName, String> {
    text.parse().map_err(|why| format!("{} is not the name of a role ({why}); write one like `viewer`", shown(text)))
}

/// A URL that may carry a password, kept as it was written.
pub(super) fn url_with_scheme(schemes: &'static [&'static str]) -> impl Fn(&str) -> Result<Secret<String>, String> {
    move |text| {
        let starts: Vec<_> = schemes.iter().map(|scheme| format!("`{scheme}://`")).collect();
        let starts = starts.join(" or ");
        let scheme = text.split_once("://").map(|(scheme, _)| scheme.to_ascii_lowercase());
        if !scheme.is_some_and(|scheme| schemes.contains(&scheme.as_str())) {
            return Err(format!("has the wrong beginning; write a URL that begins with {starts}"));
        }
        match Url::parse(text) {
            Ok(_) => Ok(Secret::new(text.to_owned())),
            Err(why) => Err(format!(
                "is not a URL ({why}); write one that begins with {starts}, and `%40` for an `@` (`%3A` for `:`, \
                 `%2F` for `/`, `%23` for `#`) inside its password"
            )),
        }
    }
}

/// An IP address with a port. Not a host name: what it means could change between two starts.
pub(super) fn socket_address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("{} is not an address with a port; write one as `127.0.0.1:8080` or `[::]:8080`", shown(text))
    })
}

/// A file that exists and that this process may read.
pub(super) fn file(text: &str) -> Result<PathBuf, String> {
    // Someone who pasted the key itself must not find it in a log.
    if text.contains("-----") || text.contains('\n') {
        return Err("is the content of a file; write the path of the file".to_owned());
    }
    let readable = std::fs::File::open(text).and_then(|file| file.metadata());
    match readable {
        Ok(found) if found.is_file() => Ok(PathBuf::from(text)),
        Ok(_) => Err(format!("{} is not a file; write the path of a PEM file", shown(text))),
        Err(why) => Err(format!(
            "{} cannot be read ({}); write the path of a PEM file that this user may read",
            shown(text),
            why.kind()
        )),
    }
}

/// Any path; whoever opens it reports on it.
pub(super) fn path(text: &str) -> Result<PathBuf, String> {
    Ok(PathBuf::from(text))
}

/// The URL of a mail server.
pub(super) fn smtp_url(text: &str) -> Result<Secret<String>, String> {
    let url = url_with_scheme(&["smtp", "smtps"])(text)?;
    match Url::parse(text) {
        Ok(parsed) if parsed.has_host() => Ok(url),
        _ => Err("has no host; write one as `smtps://user:password@host` or `smtp://host:587`".to_owned()),
    }
}

/// One mail address, with or without a name.
pub(super) fn mailbox(text: &str) -> Result<Mailbox, String> {
    let whole = |read: &Mailbox| text.trim_end_matches('>').ends_with(read.email.as_ref() as &str);
    text.parse().ok().filter(whole).filter(|_| !text.contains(char::is_control)).ok_or_else(|| {
        format!(
            "{} is not a sender; write one as `no-reply@my-company.com` or `Name <no-reply@my-company.com>`",
            shown(text)
        )
    })
}

/// A filter of the `tracing` crate.
pub(super) fn log_filter(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "off"];
    const EXAMPLE: &str = "`info` or `info,deodar::pdp=debug`";
    // A misspelt level is a valid filter: for a module of that name, which silences everything else.
    for word in text.split(',').map(|word| word.trim().to_ascii_lowercase()) {
        let misspelt = |level: &&str| (1..=2).contains(&strsim::damerau_levenshtein(&word, level));
        if !LEVELS.contains(&word.as_str())
            && let Some(level) = LEVELS.into_iter().filter(|level| level.len() > 3).find(misspelt)
        {
            return Err(format!("{} is not a level; write `{level}`", shown(&word)));
        }
    }
    EnvFilter::try_new(text)
        .map(|_| text.to_owned())
        .map_err(|_| format!("{} is not a filter; write a level or levels by module, as in {EXAMPLE}", shown(text)))
}
