//! A mail server that keeps what it is sent, and can have its moods.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};

/// How long a mail is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// How the server behaves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mood {
    /// It takes everything.
    Kind,
    /// It takes nothing now.
    Busy,
    /// It takes nothing, ever.
    Refusing,
    /// It ends every connection at once.
    Rude,
    /// It takes connections and says nothing.
    Silent,
}

/// See the module.
pub struct Mailbox {
    /// What a server is to be given as `SMTP_URL`.
    pub url: String,
    mood: Arc<Mutex<Mood>>,
    seen: Arc<watch::Sender<Seen>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    mails: Vec<ReceivedMail>,
    fruitless: usize,
}

/// A mail as it arrived.
#[derive(Clone, Debug, Default)]
pub struct ReceivedMail {
    /// Every recipient of the envelope.
    pub to: Vec<String>,
    /// Every header by its name in lower case, unfolded.
    pub headers: HashMap<String, String>,
    /// Header `Subject`.
    pub subject: String,
    /// The part in plain text, decoded.
    pub text: String,
    /// The part in HTML, decoded.
    pub html: String,
    /// Every line as it came, the headers first.
    pub raw: String,
}

impl Mailbox {
    /// A kind one.
    pub async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let (mood, seen) = (Arc::new(Mutex::new(Mood::Kind)), Arc::new(watch::Sender::new(Seen::default())));
        let task = tokio::spawn(serve(listener, Arc::clone(&mood), Arc::clone(&seen)));
        Self { url, mood, seen, task }
    }

    /// Changes the mood, for connections to come.
    pub fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// Every mail so far, oldest first.
    pub fn all(&self) -> Vec<ReceivedMail> {
        self.seen.borrow().mails.clone()
    }

    /// Waits for a mail to this address that `fits`; the first one if there are several.
    pub async fn wait_for(&self, to: &str, fits: impl Fn(&ReceivedMail) -> bool) -> ReceivedMail {
        let found = |seen: &Seen| seen.mails.iter().find(|mail| mail.to == [to] && fits(mail)).cloned();
        let mut seen = self.seen.subscribe();
        let waiting = seen.wait_for(|seen| found(seen).is_some());
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(seen) => found(&seen.unwrap()).unwrap(),
            Err(_) => panic!("no such mail to `{to}` among {:#?}", self.all()),
        }
    }

    /// Waits for one more mail to this address that `fits` than there were before.
    pub async fn wait_for_another(
        &self,
        to: &str,
        before: usize,
        fits: impl Fn(&ReceivedMail) -> bool,
    ) -> ReceivedMail {
        self.wait(|seen| seen.mails.iter().filter(|mail| mail.to == [to] && fits(mail)).count() > before).await;
        self.all().into_iter().filter(|mail| mail.to == [to] && fits(mail)).nth(before).unwrap()
    }

    /// Waits for so many mails in all.
    pub async fn wait_for_count(&self, count: usize) {
        self.wait(|seen| seen.mails.len() >= count).await;
    }

    /// Waits for so many connections in all that ended without a mail.
    pub async fn wait_for_fruitless(&self, count: usize) {
        self.wait(|seen| seen.fruitless >= count).await;
    }

    async fn wait(&self, enough: impl Fn(&Seen) -> bool) {
        let mut seen = self.seen.subscribe();
        let waiting = tokio::time::timeout(PATIENCE, seen.wait_for(|seen| enough(seen))).await;
        assert!(waiting.is_ok(), "{} mails, {} attempts", self.seen.borrow().mails.len(), self.seen.borrow().fruitless);
    }
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ReceivedMail {
    /// Every link of the text, in order.
    pub fn links(&self) -> Vec<String> {
        let words = self.text.split_whitespace();
        words.filter(|word| word.starts_with("http://") || word.starts_with("https://")).map(str::to_owned).collect()
    }

    fn read(to: Vec<String>, raw: String) -> Self {
        let (headers, body) = part(&raw);
        let boundary = parameter(&headers["content-type"], "boundary");
        let mut mail = Self { to, subject: headers["subject"].clone(), ..Self::default() };
        for piece in body.split(&format!("--{boundary}")).skip(1) {
            let Some(piece) = piece.strip_prefix("\r\n") else { continue };
            let (headers, body) = part(piece);
            let body = decode(headers.get("content-transfer-encoding").map(String::as_str), body);
            let kind = headers["content-type"].as_str();
            *if kind.starts_with("text/html") { &mut mail.html } else { &mut mail.text } = body;
        }
        Self { headers, raw, ..mail }
    }
}

/// Headers and body (RFC 5322 §2.1).
fn part(text: &str) -> (HashMap<String, String>, &str) {
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let head = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let headers = head.split("\r\n").map(|line| line.split_once(": ").unwrap());
    (headers.map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect(), body)
}

fn parameter(value: &str, name: &str) -> String {
    let (_, rest) = value.split_once(&format!("{name}=")).unwrap();
    rest.split(';').next().unwrap().trim().trim_matches('"').to_owned()
}

fn decode(encoding: Option<&str>, body: &str) -> String {
    match encoding {
        Some("base64") => {
            let joined: String = body.split_whitespace().collect();
            String::from_utf8(STANDARD.decode(joined).unwrap()).unwrap()
        }
        Some("quoted-printable") => quoted_printable(body),
        _ => body.replace("\r\n", "\n"),
    }
}

/// RFC 2045 §6.7.
fn quoted_printable(body: &str) -> String {
    let joined = body.replace("=\r\n", "").replace("\r\n", "\n");
    let mut pieces = joined.split('=');
    let mut bytes = pieces.next().unwrap().as_bytes().to_vec();
    for piece in pieces {
        let (code, rest) = piece.split_at(2);
        bytes.push(u8::from_str_radix(code, 16).unwrap());
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).unwrap()
}

async fn serve(listener: TcpListener, mood: Arc<Mutex<Mood>>, seen: Arc<watch::Sender<Seen>>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (mood, seen) = (*mood.lock().unwrap(), Arc::clone(&seen));
        tokio::spawn(async move {
            let mut mails = 0;
            let _ended_anyhow = talk(stream, mood, &seen, &mut mails).await;
            if mails == 0 {
                seen.send_modify(|seen| seen.fruitless += 1);
            }
        });
    }
}

/// One connection (RFC 5321).
async fn talk(stream: TcpStream, mood: Mood, seen: &watch::Sender<Seen>, mails: &mut usize) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    match mood {
        Mood::Rude => return Ok(()),
        Mood::Silent => return stream.read_to_end(&mut Vec::new()).await.map(drop),
        Mood::Kind | Mood::Busy | Mood::Refusing => stream.write_all(b"220 mail.test\r\n").await?,
    }
    let mut to = Vec::new();
    let mut line = String::new();
    while stream.read_line(&mut line).await? > 0 {
        let command = line.trim_end().to_owned();
        line.clear();
        let verb = command.get(..4).unwrap_or_default().to_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => "250-mail.test\r\n250 8BITMIME",
            "RCPT" => match mood {
                Mood::Busy => "451 4.7.1 come back later",
                Mood::Refusing => "550 5.1.1 nobody of that name",
                _ => {
                    let (_, rest) = command.split_once('<').unwrap();
                    to.push(rest.split_once('>').unwrap().0.to_owned());
                    "250 ok"
                }
            },
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let mut raw = String::new();
                loop {
                    assert!(stream.read_line(&mut line).await? > 0, "the mail breaks off");
                    if line == ".\r\n" {
                        break;
                    }
                    raw.push_str(line.strip_prefix('.').unwrap_or(&line));
                    line.clear();
                }
                line.clear();
                let mail = ReceivedMail::read(std::mem::take(&mut to), raw);
                *mails += 1;
                seen.send_modify(|seen| seen.mails.push(mail));
                "250 kept"
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            "MAIL" | "RSET" | "NOOP" => "250 ok",
            _ => "502 5.5.1 what",
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}
