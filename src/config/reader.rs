//! The machine behind the table: one macro that turns its entries into `Config`, and the reader that collects faults.

use super::fault::{ConfigErrors, Fault, one_line};

/// What `.env.example` has in place of every required value, so that a copied file is refused.
const EXAMPLE: &str = "change-me";

/// One entry of the table.
pub(super) struct Setting {
    pub(super) name: &'static str,
    pub(super) presence: Presence,
    pub(super) doc: &'static str,
}

impl Setting {
    /// The documentation on one line.
    pub(super) fn sentence(&self) -> String {
        self.doc.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// The documentation as the end of the phrase `write …`.
    fn what_to_write(&self) -> String {
        let sentence = self.sentence();
        let mut chars = sentence.trim_end_matches('.').chars();
        chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
    }
}

/// What happens when a variable is not set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Nothing starts.
    Required,
    /// The feature is off.
    Optional,
    /// This text is read instead.
    Default(&'static str),
}

impl Presence {
    pub(super) const fn of(default: &'static str) -> Self {
        if default.is_empty() { Self::Optional } else { Self::Default(default) }
    }
}

impl std::fmt::Display for Presence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Required => "required",
            Self::Optional => "unset",
            Self::Default(text) => text,
        })
    }
}

/// Reads settings one by one and remembers what was wrong with them.
pub(super) struct Reader<'a> {
    lookup: &'a dyn Fn(&str) -> Option<String>,
    faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(lookup: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { lookup, faults: Vec::new() }
    }

    /// The value of a setting.
    // INVARIANT: answers `None` only after a fault was noted, so a reading without faults has every value.
    pub(super) fn take<T>(&mut self, setting: &Setting, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        let read = match (self.value(setting.name), setting.presence) {
            (Some(value), _) if value.contains(EXAMPLE) => {
                Err(format!("still holds the example `{EXAMPLE}`; write {}", setting.what_to_write()))
            }
            (Some(value), _) => parse(&value),
            (None, Presence::Required) => Err(format!("is missing; write {}", setting.what_to_write())),
            (None, Presence::Optional) => parse(""),
            (None, Presence::Default(text)) => parse(text),
        };
        read.map_err(|message| self.note(setting.name, message)).ok()
    }

    /// Notes a fault when one of two variables is set without the other.
    pub(super) fn both_or_none(&mut self, one: &str, other: &str) {
        for (given, missing) in [(one, other), (other, one)] {
            if self.value(given).is_some() && self.value(missing).is_none() {
                self.note(missing, format!("is missing; write it too, or take `{given}` away"));
            }
        }
    }

    /// Notes a fault for every `DEODAR_*` name that the table does not have.
    pub(super) fn refuse_unknown(&mut self, names: impl Iterator<Item = String>, known: &[Setting]) {
        let is_unknown =
            |name: &String| name.starts_with("DEODAR_") && known.iter().all(|setting| setting.name != name);
        let mut unknown: Vec<String> = names.filter(is_unknown).collect();
        unknown.sort();
        unknown.dedup();
        for name in unknown {
            let nearest = nearest(&name, known.iter().map(|setting| setting.name));
            self.note(&one_line(&name), format!("is not a setting; the nearest one is `{nearest}`"));
        }
    }

    pub(super) fn finish<T>(self, value: Option<T>) -> Result<T, ConfigErrors> {
        match value {
            Some(value) if self.faults.is_empty() => Ok(value),
            _ => Err(ConfigErrors::new(self.faults)),
        }
    }

    fn value(&self, name: &str) -> Option<String> {
        (self.lookup)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
    }

    fn note(&mut self, variable: &str, message: String) {
        self.faults.push(Fault { variable: variable.to_owned(), message });
    }
}

/// The known name that is nearest to `name`: first those that have it as a part (a forgotten word, or our prefix before
/// a name that has none), then by letters.
fn nearest<'k>(name: &str, known: impl Iterator<Item = &'k str>) -> &'k str {
    let bare = name.strip_prefix("DEODAR_").unwrap_or(name);
    known.min_by_key(|known| (!known.contains(bare), strsim::damerau_levenshtein(name, known))).unwrap_or_default()
}

/// Makes `Config`, `SETTINGS` and one method of `Reader` for each entry.
macro_rules! settings {
    (@presence) => { $crate::config::Presence::Required };
    (@presence $default:literal) => { $crate::config::Presence::of($default) };
    ($(
        $(#[doc = $doc:literal])+
        $field:ident: $type:ty = $name:literal $(or $default:literal)? => $parse:expr;
    )+) => {
        /// Every setting, read and checked.
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub struct Config {
            $($(#[doc = $doc])+ #[doc = concat!("\n\nVariable `", $name, "`.")] pub $field: $type,)+
        }

        const SETTINGS: &[Setting] = &[$(Setting {
            name: $name,
            presence: settings!(@presence $($default)?),
            doc: concat!($($doc),+),
        }),+];

        impl Config {
            fn take(reader: &mut Reader<'_>) -> Option<Self> {
                // All are read before the first `?`, so that every fault is noted.
                $(let $field = reader.$field();)+
                Some(Self { $($field: $field?),+ })
            }
        }

        impl Reader<'_> {
            $(fn $field(&mut self) -> Option<$type> {
                let setting =
                    Setting { name: $name, presence: settings!(@presence $($default)?), doc: concat!($($doc),+) };
                self.take(&setting, $parse)
            })+
        }
    };
}
pub(super) use settings;
