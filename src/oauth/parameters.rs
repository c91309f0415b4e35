//! Parameters of an authorization request, as they came in: by query, by form, or pushed before (RFC 9126).

use crate::web::ApiError;

/// Named values in the order in which they came. An empty one counts as absent (RFC 6749 §3.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(Vec<(String, String)>);

/// Most parameters of a request.
const MOST: usize = 100;
/// The one that may be there several times (RFC 8707 §2).
const RESOURCE: &str = "resource";

impl Parameters {
    /// Reads a query or the body of a form.
    ///
    /// # Errors
    /// It is not text, and could not be given back byte for byte.
    pub fn read(encoded: &[u8]) -> Result<Self, ApiError> {
        let malformed = |message: &str| ApiError::BadRequest { code: "malformed_request", message: message.to_owned() };
        let is_text = match encoded.contains(&b'%') {
            true => percent_encoding::percent_decode(encoded).decode_utf8().is_ok(),
            false => std::str::from_utf8(encoded).is_ok(),
        };
        if !is_text {
            return Err(malformed("the parameters of the request are not UTF-8"));
        }
        let pairs = url::form_urlencoded::parse(encoded).into_owned();
        let mut pairs: Vec<(String, String)> = pairs.take(MOST + 1).collect();
        if pairs.len() > MOST {
            return Err(malformed("the request has too many parameters"));
        }
        pairs.retain(|(_, value)| !value.is_empty());
        Ok(Self(pairs))
    }

    /// The value of a parameter: the first, where there are several.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every value of a parameter.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Whether a parameter is there more than once, which nothing but a resource may be.
    pub fn is_repeated(&self, name: &str) -> bool {
        name != RESOURCE && self.values(name).nth(1).is_some()
    }

    /// The first that is there more often than it may be.
    pub fn repeated(&self) -> Option<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).find(|name| self.is_repeated(name))
    }

    /// As a query.
    pub fn encoded(&self) -> String {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }

    /// With one that replaces what there is of its name.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut all = self.without(&[name]);
        all.0.push((name.to_owned(), value.to_owned()));
        all
    }

    /// Without some of them.
    #[must_use]
    pub fn without(&self, names: &[&str]) -> Self {
        Self(self.0.iter().filter(|(name, _)| !names.contains(&name.as_str())).cloned().collect())
    }
}

impl From<Vec<(String, String)>> for Parameters {
    fn from(pairs: Vec<(String, String)>) -> Self {
        Self(pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_as_they_were() {
        let read = |text: &str| Parameters::read(text.as_bytes()).unwrap();
        let parameters = read("state=%26%22%3C%3E%0d%0a%00+x&empty=&resource=a&resource=b&scope=x&scope=y");
        assert_eq!(parameters.get("state"), Some("&\"<>\r\n\0 x"));
        assert_eq!(parameters.get("empty"), None);
        assert_eq!(parameters.repeated(), Some("scope"));
        assert_eq!(parameters.without(&["scope"]).repeated(), None);
        assert_eq!(read(&parameters.encoded()), parameters);
    }

    #[test]
    fn what_is_no_text_is_refused() {
        assert!(Parameters::read(b"state=%ff").is_err());
        assert!(Parameters::read(b"state=\xff").is_err());
        assert!(Parameters::read("a=b&".repeat(101).as_bytes()).is_err());
    }
}
