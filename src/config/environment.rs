//! The only place that reads the environment of the process.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use super::SETTINGS;
use super::fault::{ConfigErrors, Fault, shown};

/// The variables of this process that concern the server, and those of `.env` that it leaves out.
///
/// Why `.env` is not loaded into the process: changing the environment while other threads read it is undefined
/// behaviour, and nothing else here reads it.
pub struct Environment {
    // No `Debug`: the values are not sorted into secret and public yet.
    values: BTreeMap<String, String>,
}

impl Environment {
    /// The environment of this process alone.
    #[must_use]
    pub fn process() -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            // A value that is not Unicode must not count as absent; its parser will refuse the replacement character.
            Some((name.into_string().ok()?, value.to_string_lossy().into_owned()))
        };
        Self { values: std::env::vars_os().filter_map(text).filter(|(name, _)| concerns_us(name)).collect() }
    }

    /// The environment of this process, and `.env` of the working directory for what it leaves out. A variable that is
    /// set but empty hides the one in the file.
    ///
    /// # Errors
    /// When `.env` is there and cannot be read. Reported before anything else: what its bad lines would have set
    /// would only be reported as missing.
    pub fn load() -> Result<Self, ConfigErrors> {
        Ok(Self::process().or(dotenv(Path::new(".env"))?))
    }

    /// The value of a variable; an empty one is absent.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<String> {
        self.values.get(name).filter(|value| !value.trim().is_empty()).cloned()
    }

    /// The names of all variables that are settings or look like one.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.values.keys().cloned()
    }

    fn or(mut self, others: BTreeMap<String, String>) -> Self {
        for (name, value) in others {
            self.values.entry(name).or_insert(value);
        }
        self
    }
}

fn concerns_us(name: &str) -> bool {
    name.starts_with("DEODAR_") || SETTINGS.iter().any(|setting| setting.name == name)
}

/// The variables of a file; none when there is no file.
fn dotenv(path: &Path) -> Result<BTreeMap<String, String>, ConfigErrors> {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text),
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(BTreeMap::new()),
        Err(why) => Err(ConfigErrors::new(vec![fault(format!(
            "cannot be read ({}); make it a text file that this user may read, or take it away",
            why.kind()
        ))])),
    }
}

fn parse(text: &str) -> Result<BTreeMap<String, String>, ConfigErrors> {
    let mut values = BTreeMap::new();
    let mut faults = Vec::new();
    let mut place = "its beginning".to_owned();
    for entry in dotenvy::from_read_iter(text.as_bytes()) {
        match entry {
            Ok((name, value)) => {
                place = shown(&name);
                if concerns_us(&name) {
                    values.insert(name, value);
                }
            }
            // The error itself would quote the line, and with it perhaps a secret.
            Err(_) => faults.push(fault(format!(
                "cannot be read after {place}; write `NAME=value`, and the value in single quotes if it has spaces, \
                 quotes, `#` or `$`"
            ))),
        }
    }
    if faults.is_empty() { Ok(values) } else { Err(ConfigErrors::new(faults)) }
}

fn fault(message: String) -> Fault {
    Fault { variable: ".env".to_owned(), message }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_wins_over_the_file() {
        let process = [("DEODAR_LISTEN", "127.0.0.1:1"), ("REDIS_URL", "")];
        let process = Environment { values: process.map(|(name, value)| (name.to_owned(), value.to_owned())).into() };
        let file = parse("DEODAR_LISTEN=127.0.0.1:2\nREDIS_URL=redis://a\nDEODAR_LOG='warn' # why\nHOME=/x\n").unwrap();
        let both = process.or(file);
        assert_eq!(both.get("DEODAR_LISTEN").as_deref(), Some("127.0.0.1:1"));
        assert_eq!(both.get("REDIS_URL"), None);
        assert_eq!(both.get("DEODAR_LOG").as_deref(), Some("warn"));
        assert_eq!(both.names().collect::<Vec<_>>(), ["DEODAR_LISTEN", "DEODAR_LOG", "REDIS_URL"]);
    }

    #[test]
    fn a_bad_line_of_the_file_is_placed_but_not_shown() {
        let errors = parse("DEODAR_LOG=info\nSMTP_URL=hunter2 hunter2\nhunter2\nREDIS_URL='hunter2").unwrap_err();
        let text = errors.to_string();
        assert!(text.starts_with(".env: cannot be read after `DEODAR_LOG`; write `NAME=value`"), "{text}");
        assert!(errors.faults().len() >= 2 && !text.contains("hunter2"), "{text}");
    }

    #[test]
    fn a_missing_file_is_no_fault_and_a_directory_is() {
        assert!(dotenv(Path::new("/nonexistent/.env")).unwrap().is_empty());
        assert!(dotenv(Path::new("/tmp")).is_err());
    }
}
