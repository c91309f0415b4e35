//! Where a person goes on after signing in.

use url::Url;

/// A path of ours, with its query. Whoever made the link chose it, so only paths that expect it are taken, as they come
/// out of the same parser that browsers have: never another host, however it is spelt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnTo(String);

/// Stands in for our own origin, which a path must not leave.
const HERE: &str = "https://here.invalid";
const LONGEST: usize = 8 * 1024;

impl ReturnTo {
    /// Reads one; `None` for whatever else it is.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |c: char| c.is_ascii_graphic() && c != '\\';
        if text.len() > LONGEST || !text.starts_with('/') || !text.chars().all(plain) {
            return None;
        }
        let base = Url::parse(HERE).ok()?;
        let url = base.join(text).ok().filter(|url| url.origin() == base.origin())?;
        let path = url.path();
        let known = matches!(path, "/oauth/authorize" | "/consent" | "/device" | "/account")
            || path.strip_prefix("/account/").is_some_and(|rest| !rest.contains(['/', '%']));
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        known.then(|| Self(format!("{path}{query}")))
    }

    /// The account's own pages.
    pub fn account() -> Self {
        Self("/account".to_owned())
    }

    /// The page of the second factor, from where it goes on.
    pub fn mfa(going_on: Option<&Self>) -> Self {
        Self(format!("/account/mfa{}", going_on.map(Self::query).unwrap_or_default()))
    }

    /// Whether it is one of the account's own pages.
    pub fn is_of_account(&self) -> bool {
        self.0.starts_with(Self::account().as_str())
    }

    /// The path and its query.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As a query of another page: `?return_to=…`.
    pub fn query(&self) -> String {
        let value: String = url::form_urlencoded::byte_serialize(self.0.as_bytes()).collect();
        format!("?return_to={value}")
    }

    /// For `form-action`: where an authorization request ends that goes on from here. Whether that place is the client's
    /// is judged there; here it only loosens what our own form may lead to.
    pub fn leads_to(&self) -> Option<String> {
        let (path, query) = self.0.split_once('?')?;
        if path != "/oauth/authorize" {
            return None;
        }
        let uri = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "redirect_uri")?.1;
        source(&uri)
    }
}

/// A redirect URI as a source of a Content-Security-Policy: its origin, or its scheme where it has none.
pub fn source(uri: &str) -> Option<String> {
    let url = Url::parse(uri).ok()?;
    match url.scheme() {
        "https" | "http" => Some(url.origin().ascii_serialization()),
        "javascript" | "data" | "blob" | "file" => None,
        scheme => Some(format!("{scheme}:")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<String> {
        ReturnTo::parse(text).map(|to| to.0)
    }

    #[test]
    fn paths_that_expect_it_are_taken() {
        for text in
            ["/account", "/account/mfa", "/device?user_code=BCDF-GHJK", "/oauth/authorize?client_id=a&state=%0A"]
        {
            assert_eq!(parse(text).as_deref(), Some(text));
        }
        assert_eq!(parse("/account/../account/mfa").as_deref(), Some("/account/mfa"));
        assert_eq!(parse("/account#//evil").as_deref(), Some("/account"));
    }

    #[test]
    fn nothing_leads_to_a_stranger() {
        let refused = [
            "",
            "account",
            "//evil.test/account",
            "/\\evil.test/account",
            "\\\\evil.test",
            "https://evil.test/account",
            "https:/account",
            "javascript:alert(1)",
            "/\t/evil.test/account",
            "/account\r\nLocation: https://evil.test",
            " /account",
            "/account/../../evil",
            "/account/../logout",
            "/account/a/b",
            "/account/%2e%2e/logout",
            "/%2f%2fevil.test",
            "/.//evil.test/account",
            "/login?return_to=/account",
            "/api/v1/me",
            "/accounts",
        ];
        for text in refused {
            assert_eq!(parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_form_may_end_at_the_client_of_the_request() {
        let leads = |text: &str| ReturnTo::parse(text).unwrap().leads_to();
        let to = |uri: &str| leads(&format!("/oauth/authorize?redirect_uri={uri}"));
        assert_eq!(to("https%3A%2F%2Fshop.test%3A8443%2Fcb%3Fa%3Db").as_deref(), Some("https://shop.test:8443"));
        assert_eq!(to("com.shop.app%3A%2Fcb").as_deref(), Some("com.shop.app:"));
        assert_eq!(to("javascript%3Aalert(1)"), None);
        assert_eq!(to("https%3A%2F%2Fa%3B%20script-src%20*%2F"), None);
        assert_eq!(leads("/account?redirect_uri=https%3A%2F%2Fevil.test"), None);
    }
}
