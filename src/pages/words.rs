//! Facts in words: times, browsers, events.

use time::{
    OffsetDateTime, UtcOffset,
    format_description::{BorrowedFormatItem, well_known::Rfc3339},
    macros::format_description,
};

use crate::{model::ScopeSet, store::audit::EventRow};

/// A time, for machines and for people.
pub struct Moment {
    /// RFC 3339.
    pub iso: String,
    /// `23 November 2026, 23:10 UTC`.
    pub words: String,
}

const MOMENT: &[BorrowedFormatItem<'_>] =
    format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
const DAY: &[BorrowedFormatItem<'_>] = format_description!("[day padding:none] [month repr:long] [year]");

/// A time in words.
pub fn moment(at: OffsetDateTime) -> Moment {
    let at = at.to_offset(UtcOffset::UTC);
    Moment { iso: at.format(&Rfc3339).unwrap_or_default(), words: at.format(MOMENT).unwrap_or_default() }
}

/// A day in words.
pub fn day(at: OffsetDateTime) -> String {
    at.to_offset(UtcOffset::UTC).format(DAY).unwrap_or_default()
}

/// A browser and its system, as far as it says so: `Firefox on Linux`.
pub fn device(agent: &str) -> String {
    let first =
        |names: &[(&str, &'static str)]| names.iter().find(|(mark, _)| agent.contains(mark)).map(|(_, name)| *name);
    // Most browsers also claim to be those further down.
    let browser = first(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("SamsungBrowser", "Samsung Internet"),
        ("Firefox/", "Firefox"),
        ("FxiOS", "Firefox"),
        ("CriOS", "Chrome"),
        ("Chrom", "Chrome"),
        ("Safari/", "Safari"),
        ("curl/", "curl"),
    ]);
    let system = first(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("Mac OS X", "Mac"),
        ("CrOS", "ChromeOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => "Unknown device".to_owned(),
    }
}

/// What an application may know or do: `who you are, your e-mail address`.
pub fn scopes(scopes: &ScopeSet) -> String {
    let word = |scope| match scope {
        ScopeSet::OPENID => "who you are",
        "profile" => "your name, language and time zone",
        "email" => "your e-mail address",
        ScopeSet::OFFLINE => "while you are away",
        ScopeSet::CHECK => "what anybody here may do",
        ScopeSet::ADMIN => "administer this server",
        other => other,
    };
    scopes.for_people().map(word).collect::<Vec<_>>().join(", ")
}

/// What happened, to the one whose account it is.
pub fn event(row: &EventRow) -> String {
    let failed = row.outcome != "success";
    let known = match (&*row.action, failed) {
        ("sign_in", false) => "Signed in",
        ("sign_in", true) => "Somebody failed to sign in: wrong password",
        ("sign_in_again", false) => "Proved it is you once more",
        ("second_factor", false) if row.details["method"] == "backup_code" => "Used a backup code",
        ("second_factor", false) if row.details["method"] == "bypass" => "Used an administrator's code",
        ("second_factor", false) => "Gave a code",
        ("second_factor", true) => "Somebody gave a wrong code",
        ("sign_out", _) => "Signed out",
        ("sign_out_everywhere", _) => "Signed out on other devices",
        ("register", _) => "Created the account",
        ("email_verified", _) => "Confirmed the address",
        ("email_change_requested", _) => "Asked to change the address",
        ("email_changed", _) => "Changed the address",
        ("profile_changed", _) => "Changed the profile",
        ("password_changed", _) => "Changed the password",
        ("password_reset_requested", _) => "Asked for a new password by mail",
        ("password_reset", _) if row.details["method"] == "recovery_link" => "Reset the password by an operator's link",
        ("password_reset", _) => "Reset the password by mail",
        ("administrator_created", _) => "An operator created the account",
        ("recovery_link_created", _) => "An operator made a recovery link",
        ("mfa_enabled", _) => "Turned two-step sign-in on",
        ("mfa_disabled", _) => "Turned two-step sign-in off",
        ("backup_codes_regenerated", _) => "Made new backup codes",
        ("authorized", _) => "Went on to an application",
        ("consent", false) => "Let an application in",
        ("consent", true) => "Kept an application out",
        ("device_consent", false) => "Let a device in",
        ("device_consent", true) => "Kept a device out",
        ("consent_withdrawn", _) => "Took an application's access back",
        ("account_deactivated", _) => "Switched the account off",
        (other, _) => return in_words(other, &row.outcome),
    };
    known.to_owned()
}

/// An action that has no words here: `Deodar::assignRole` becomes `Assign role`.
fn in_words(action: &str, outcome: &str) -> String {
    let name = action.rsplit("::").next().unwrap_or(action);
    let mut words = String::new();
    for c in name.chars() {
        match c {
            '_' => words.push(' '),
            c if words.is_empty() => words.extend(c.to_uppercase()),
            c if c.is_uppercase() => {
                words.push(' ');
                words.extend(c.to_lowercase());
            }
            c => words.push(c),
        }
    }
    if outcome == "success" { words } else { format!("{words}: {outcome}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_known_by_what_they_say_first() {
        let chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/148.0.0.0 \
                      Safari/537.36";
        for (agent, name) in [
            (chrome, "Chrome on Windows"),
            (&format!("{chrome} Edg/148.0"), "Edge on Windows"),
            ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1",
                "Safari on iPhone",
            ),
            ("curl/8.5.0", "curl"),
            ("", "Unknown device"),
        ] {
            assert_eq!(device(agent), name);
        }
    }

    #[test]
    fn an_action_without_words_tells_its_name() {
        assert_eq!(in_words("Deodar::assignRole", "success"), "Assign role");
        assert_eq!(in_words("mfa_bypass_issued", "denied"), "Mfa bypass issued: denied");
    }
}
