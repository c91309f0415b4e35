//! What forms are made of.

use askama::{Template, filters::HtmlSafe};

/// One labelled input. Its fault and its hint are tied to it for those who do not see them.
#[derive(Template, Clone, Debug)]
#[template(path = "pages/field.html")]
pub struct Field {
    /// In the page: there may be two fields of one name.
    id: &'static str,
    name: &'static str,
    label: &'static str,
    kind: &'static str,
    autocomplete: &'static str,
    inputmode: &'static str,
    value: String,
    hint: String,
    fault: String,
    /// Not prose: no capital letters, no corrections.
    plain: bool,
    required: bool,
    focus: bool,
    least: Option<usize>,
    most: usize,
}

impl HtmlSafe for Field {}

impl Field {
    /// A line of text that has to be there.
    pub fn text(name: &'static str, label: &'static str, autocomplete: &'static str) -> Self {
        Self {
            id: name,
            name,
            label,
            kind: "text",
            autocomplete,
            inputmode: "",
            value: String::new(),
            hint: String::new(),
            fault: String::new(),
            plain: true,
            required: true,
            focus: false,
            least: None,
            most: 256,
        }
    }

    /// The person's password.
    pub fn password(name: &'static str, label: &'static str) -> Self {
        Self { kind: "password", ..Self::text(name, label, "current-password") }
    }

    /// A password to be, of so many characters or more.
    pub fn new_password(name: &'static str, label: &'static str, least: usize) -> Self {
        let hint = format!("{least} characters or more. A few unrelated words make a good one.");
        Self { hint, least: Some(least), ..Self { autocomplete: "new-password", ..Self::password(name, label) } }
    }

    /// An address.
    pub fn email(name: &'static str, label: &'static str) -> Self {
        Self { kind: "email", inputmode: "email", ..Self::text(name, label, "email") }
    }

    /// Six digits of an authenticator.
    pub fn code(name: &'static str, label: &'static str) -> Self {
        Self { inputmode: "numeric", most: 20, ..Self::text(name, label, "one-time-code") }
    }

    /// Told apart in a page that has two of this name.
    pub fn named(self, id: &'static str) -> Self {
        Self { id, ..self }
    }

    /// Letters as well as digits.
    pub fn letters(self) -> Self {
        Self { inputmode: "", ..self }
    }

    /// With something written in it already.
    pub fn value(self, value: impl Into<String>) -> Self {
        Self { value: value.into(), ..self }
    }

    /// With advice below.
    pub fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// With what is wrong with it, a line each, if anything is. The cursor is there then.
    pub fn fault(self, fault: impl Into<String>) -> Self {
        let fault = fault.into();
        Self { focus: self.focus || !fault.is_empty(), fault, ..self }
    }

    /// May stay empty.
    pub fn optional(self) -> Self {
        Self { required: false, ..self }
    }

    /// Where the cursor is when the page opens.
    pub fn focus(self) -> Self {
        self.focus_unless(false)
    }

    /// The same, unless it belongs elsewhere: the first field that has it wins.
    pub fn focus_unless(self, elsewhere: bool) -> Self {
        Self { focus: self.focus || !elsewhere, ..self }
    }

    fn described(&self) -> String {
        let part = |text: &str, what: &str| (!text.is_empty()).then(|| format!("{}-{what}", self.id));
        let parts = [part(&self.fault, "fault"), part(&self.hint, "hint")];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }
}

/// What happened, above a form.
#[derive(Template, Clone, Debug, Default)]
#[template(path = "pages/notice.html")]
pub struct Notice {
    text: String,
    /// Whether it did not work.
    pub wrong: bool,
}

impl HtmlSafe for Notice {}

impl Notice {
    /// It worked.
    pub fn done(text: impl Into<String>) -> Self {
        Self { text: text.into(), wrong: false }
    }

    /// It did not.
    pub fn wrong(text: impl Into<String>) -> Self {
        Self { text: text.into(), wrong: true }
    }
}
