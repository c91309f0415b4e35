//! What this product writes to people.
//!
//! Names that people choose for themselves are in none of these mails: whoever registers with a stranger's address
//! would otherwise choose what that stranger reads.

use std::net::IpAddr;

use time::{OffsetDateTime, macros::format_description};

use super::letter::plain;

/// A mail with its facts. Links come whole, built from the configured issuer and never from a request.
pub enum Message {
    /// Asks to confirm the address of a new account.
    VerifyEmail {
        /// Confirms.
        link: String,
    },
    /// Somebody tried to register with an address that has an account.
    EmailTaken,
    /// Somebody tried to register with a name that somebody else has.
    UsernameTaken,
    /// Asks the new address of an account to confirm; sent to the new one.
    EmailChange {
        /// Confirms.
        link: String,
    },
    /// The address has changed; sent to the old one.
    EmailChanged {
        /// The new address. Shown in part.
        address: String,
    },
    /// Asks for a new password.
    PasswordReset {
        /// Leads to the form.
        link: String,
    },
    /// The password has changed.
    PasswordChanged,
    /// The second factor is on.
    MfaEnabled,
    /// The second factor is off.
    MfaDisabled,
    /// There are new backup codes.
    BackupCodesRegenerated,
    /// The backup codes will end.
    BackupCodesExpiring {
        /// When.
        at: OffsetDateTime,
    },
    /// There is a code that stands in for the second factor.
    BypassIssued {
        /// The administrator who made it, if somebody did.
        by: Option<String>,
    },
    /// The account is switched off.
    AccountDeactivated,
    /// The account is gone.
    AccountDeleted,
    /// Somebody signed in where nobody had before.
    NewDevice {
        /// The browser, as it calls itself.
        device: String,
        /// Where from.
        address: IpAddr,
        /// When.
        at: OffsetDateTime,
    },
    /// Leads back into an account.
    AccountRecovery {
        /// Leads to the form.
        link: String,
    },
}

/// The same in words. Everything is plain text without control characters.
#[derive(Default)]
pub(super) struct Words {
    pub subject: String,
    pub body: Vec<String>,
    /// What the link does, and the link.
    pub action: Option<(&'static str, String)>,
    pub facts: Vec<(&'static str, String)>,
    pub ending: &'static str,
}

/// A link is a key: whoever did not ask must know that nothing happens without it.
const NOT_ASKED: &str = "If you did not ask for this, ignore this mail: nothing happens unless the link is opened.";
/// A change is done already.
const NOT_YOU: &str = "If this was not you, somebody else may have access to your account. Reset your password at once, or ask whoever \
     runs the server for help.";
const ONCE: &str = "The link works once, and for a short time only.";

impl Message {
    /// The words, where `host` is how people know this server.
    pub(super) fn words(&self, host: &str) -> Words {
        let notice = |subject: &str, body: &str| Words {
            subject: format!("{subject} at {host}"),
            body: vec![body.to_owned()],
            ending: NOT_YOU,
            ..Words::default()
        };
        let request = |subject: &str, body: String, label: &'static str, link: &str| Words {
            subject: format!("{subject} at {host}"),
            body: vec![body, ONCE.to_owned()],
            action: Some((label, plain(link))),
            ending: NOT_ASKED,
            ..Words::default()
        };
        match self {
            Self::VerifyEmail { link } => request(
                "Confirm your address",
                format!("An account at {host} was opened with this address. Confirm that it is yours."),
                "Confirm the address",
                link,
            ),
            Self::EmailTaken => Words {
                ending: "If this was not you, you need not do anything: your account is as it was.",
                ..notice(
                    "You have an account",
                    "Somebody tried to open an account with this address, which has one already. If that was you, sign \
                     in, or choose \u{201c}forgot password\u{201d} on the sign-in page.",
                )
            },
            Self::UsernameTaken => notice(
                "This name is taken",
                "Somebody tried to open an account with this address and a name that is not free. If that was you, \
                 register again with another name. If not, you need not do anything.",
            ),
            Self::EmailChange { link } => request(
                "Confirm your new address",
                format!("This is to become the address of an account at {host}. Confirm that it is yours."),
                "Confirm the address",
                link,
            ),
            Self::EmailChanged { address } => Words {
                facts: vec![("New address", masked(address))],
                ..notice("Your address has changed", "Mail about your account goes to another address from now on.")
            },
            Self::PasswordReset { link } => request(
                "Reset your password",
                format!("A new password was asked for, for your account at {host}."),
                "Choose a new password",
                link,
            ),
            Self::PasswordChanged => notice("Your password has changed", "Your account has a new password."),
            Self::MfaEnabled => notice(
                "Two-step sign-in is on",
                "From now on your account asks for a code from your device in addition to the password. Keep your \
                 backup codes where you find them without that device.",
            ),
            Self::MfaDisabled => {
                notice("Two-step sign-in is off", "Your account asks for nothing but the password from now on.")
            }
            Self::BackupCodesRegenerated => {
                notice("You have new backup codes", "New backup codes were made; the old ones no longer work.")
            }
            Self::BackupCodesExpiring { at } => Words {
                facts: vec![("They end on", moment(*at))],
                ending: "Until you make new ones, you can sign in with your device only.",
                ..notice(
                    "Your backup codes end soon",
                    "Your backup codes stop working soon. Make new ones on your account page.",
                )
            },
            Self::BypassIssued { by } => Words {
                facts: by.iter().map(|by| ("Made by", plain(by))).collect(),
                ..notice(
                    "A sign-in code was made for you",
                    "A code was made that stands in for your second factor, once.",
                )
            },
            Self::AccountDeactivated => notice(
                "Your account is switched off",
                "Your account was switched off, and you are signed out everywhere.",
            ),
            Self::AccountDeleted => Words {
                ending: "If this was not you, ask whoever runs the server for help.",
                ..notice("Your account is deleted", "Your account was deleted, and you are signed out everywhere.")
            },
            Self::NewDevice { device, address, at } => Words {
                facts: vec![("Device", plain(device)), ("Address", address.to_string()), ("Time", moment(*at))],
                ..notice("New sign-in", "Somebody signed in to your account from a device that we do not know.")
            },
            Self::AccountRecovery { link } => request(
                "Recover your account",
                format!("Somebody asked for a way back into your account at {host}."),
                "Recover the account",
                link,
            ),
        }
    }
}

/// `a…@example.com`: enough to recognise the address, not enough to learn it.
fn masked(address: &str) -> String {
    let address = plain(address);
    let (name, domain) = address.rsplit_once('@').unwrap_or((&address, "…"));
    format!("{}…@{domain}", name.chars().take(1).collect::<String>())
}

fn moment(at: OffsetDateTime) -> String {
    let form = format_description!("[day padding:none] [month repr:long] [year], [hour]:[minute] UTC");
    at.to_offset(time::UtcOffset::UTC).format(form).unwrap_or_default()
}
