//! A browser without scripts: keeps cookies, follows redirects on our own origin, fills forms as they stand on the page.

use std::collections::BTreeMap;

use reqwest::{Client, header::HeaderMap, redirect};

use crate::answer::Answer;

/// See the module.
pub struct Browser {
    http: Client,
    base: String,
    /// By name.
    pub cookies: BTreeMap<String, String>,
    /// Where the page is that is shown: a path of ours, or a whole address elsewhere.
    pub at: String,
    /// The page that is shown.
    pub page: Answer,
}

/// What `Location` leads to without being on our origin is not followed.
const ISSUER: &str = crate::app::ISSUER;

impl Browser {
    /// A fresh one.
    pub fn new(base: &str) -> Self {
        let http = Client::builder().redirect(redirect::Policy::none()).build().unwrap();
        let page = Answer { status: 0, headers: HeaderMap::new(), text: String::new(), json: serde_json::Value::Null };
        Self { http, base: base.to_owned(), cookies: BTreeMap::new(), at: String::new(), page }
    }

    /// Opens a path of ours, and wherever it leads.
    pub async fn open(&mut self, path: &str) -> &Answer {
        let answer = self.get(path).await;
        self.follow(path, answer).await
    }

    /// Opens a link as it stands in a mail.
    pub async fn open_link(&mut self, link: &str) -> &Answer {
        let path = link.strip_prefix(ISSUER).expect("a link of ours").to_owned();
        self.open(&path).await
    }

    /// One GET, with cookies.
    pub async fn get(&mut self, path: &str) -> Answer {
        let request = self.http.get(format!("{}{path}", self.base)).header("sec-fetch-site", "none");
        self.send(request).await
    }

    /// Sends the form with this action, filled as it stands on the page and with `fields` besides; follows.
    pub async fn submit(&mut self, action: &str, fields: &[(&str, &str)]) -> &Answer {
        let answer = self.post(action, &self.filled(action, fields)).await;
        self.follow(action, answer).await
    }

    /// What the form with this action would send.
    #[track_caller]
    pub fn filled(&self, action: &str, fields: &[(&str, &str)]) -> Vec<(String, String)> {
        let form =
            self.form(action).unwrap_or_else(|| panic!("no form to {action} at {}: {}", self.at, self.page.text));
        let mut all: BTreeMap<String, String> = inputs(&form);
        for (name, value) in fields {
            let there = all.contains_key(*name) || form.contains(&format!("name=\"{name}\""));
            assert!(there, "the form to {action} has no `{name}`: {form}");
            all.insert((*name).to_owned(), (*value).to_owned());
        }
        all.into_iter().collect()
    }

    fn form(&self, action: &str) -> Option<String> {
        let forms = self.page.text.split("<form ").skip(1).map(|form| form.split("</form>").next().unwrap());
        forms.into_iter().find(|form| attribute(form, "action").as_deref() == Some(action)).map(str::to_owned)
    }

    /// One POST of a form from a page of ours, with cookies.
    pub async fn post(&mut self, path: &str, fields: &[(String, String)]) -> Answer {
        let request = self.http.post(format!("{}{path}", self.base)).header("sec-fetch-site", "same-origin");
        self.send(request.form(fields)).await
    }

    /// Any request, with cookies.
    pub fn request(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.post(format!("{}{path}", self.base))
    }

    /// Sends a request with the cookies of this browser, and keeps those of the answer.
    pub async fn send(&mut self, request: reqwest::RequestBuilder) -> Answer {
        let jar: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = if jar.is_empty() { request } else { request.header("cookie", jar.join("; ")) };
        let response = request.header("user-agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Firefox/140.0").send();
        let answer = Answer::read(response.await.unwrap()).await;
        for cookie in answer.headers.get_all("set-cookie") {
            let text = cookie.to_str().unwrap();
            let (name, value) = text.split(';').next().unwrap().split_once('=').unwrap();
            // N-169: whatever is set, it is for this host alone.
            assert!(name.starts_with("__Host-"), "{text}");
            for attribute in ["; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"] {
                assert!(text.contains(attribute), "{text}");
            }
            if value.is_empty() || text.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    async fn follow(&mut self, path: &str, mut answer: Answer) -> &Answer {
        self.at = path.to_owned();
        for _ in 0..10 {
            let to = answer.header("location").to_owned();
            if to.is_empty() {
                break;
            }
            // N-031: never one that sends the form on.
            assert_eq!(answer.status, 303, "{path} leads to {to}");
            self.at.clone_from(&to);
            if !to.starts_with('/') || to.starts_with("//") {
                break;
            }
            answer = self.get(&to).await;
        }
        self.page = answer;
        &self.page
    }

    /// Expects to be at a path, whatever its query.
    #[track_caller]
    pub fn is_at(&self, path: &str) -> &Answer {
        assert_eq!(self.at.split('?').next().unwrap(), path, "{} {}", self.page.status, self.page.text);
        &self.page
    }

    /// Expects words on the page.
    #[track_caller]
    pub fn says(&self, words: &str) {
        assert!(self.page.text.contains(words), "no `{words}` at {}: {}", self.at, self.page.text);
    }
}

/// The fields of a form with what stands in them.
fn inputs(form: &str) -> BTreeMap<String, String> {
    let tags = form.split("<input ").skip(1).map(|tag| tag.split('>').next().unwrap());
    let set = tags.filter(|tag| attribute(tag, "type").as_deref() != Some("checkbox"));
    set.filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default()))).collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let rest = tag.split_once(&format!("{name}=\""))?.1;
    Some(unescaped(rest.split('"').next()?))
}

/// What askama's escapes stand for.
pub fn unescaped(text: &str) -> String {
    text.replace("&#60;", "<").replace("&#62;", ">").replace("&#34;", "\"").replace("&#39;", "'").replace("&#38;", "&")
}
