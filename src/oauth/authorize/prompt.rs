//! What a client wants a person to be asked (OpenID Connect Core §3.1.2.1).

use super::request::Fault;

/// The values of `prompt`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Prompt {
    /// Nothing at all: answer or fail.
    pub none: bool,
    /// Who they are, even if they are signed in.
    pub login: bool,
    /// Whether they agree, even if they did before.
    pub consent: bool,
    /// Which of their accounts they mean.
    pub select_account: bool,
}

impl Prompt {
    /// Reads the parameter.
    pub fn read(text: Option<&str>) -> Result<Self, Fault> {
        let mut prompt = Self::default();
        for word in text.unwrap_or_default().split(' ').filter(|word| !word.is_empty()) {
            match word {
                "none" => prompt.none = true,
                "login" => prompt.login = true,
                "consent" => prompt.consent = true,
                "select_account" => prompt.select_account = true,
                _ => {
                    let text = "`prompt` is `none`, or some of `login`, `consent` and `select_account`";
                    return Err(Fault::new("invalid_request", text));
                }
            }
        }
        if prompt.none && (prompt.login || prompt.consent || prompt.select_account) {
            return Err(Fault::new("invalid_request", "`prompt=none` goes with nothing else"));
        }
        Ok(prompt)
    }
}
