//! npm `oidc-provider`, as `bench/peer/server.mjs` runs it.

use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::Value;

use super::{Server, basic};

/// A running one.
pub struct Peer {
    /// Where.
    pub server: Server,
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Peer {
    /// Starts one; with opaque access tokens, or with signed ones.
    pub fn start(opaque: bool) -> Self {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/peer");
        let mut child = Command::new("node")
            .arg("server.mjs")
            .current_dir(folder)
            .env("NODE_ENV", "production")
            .env("PEER_OPAQUE", if opaque { "1" } else { "0" })
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("install node, and run `make bench-peer`");
        let input = child.stdin.take().unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let hello = line(&mut output);
        let text = |name: &str| hello[name].as_str().unwrap();
        let server = Server {
            token_endpoint: format!("{}/token", text("issuer")),
            introspection_endpoint: format!("{}/token/introspection", text("issuer")),
            authorization: basic(text("client_id"), text("client_secret")),
        };
        Self { server, child, input, output }
    }

    /// Refresh tokens, each of a family of its own.
    pub fn families(&mut self, count: usize) -> Vec<String> {
        writeln!(self.input, "{count}").unwrap();
        let tokens = line(&mut self.output);
        tokens.as_array().unwrap().iter().map(|token| token.as_str().unwrap().to_owned()).collect()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The next line of JSON: it also tells people things.
fn line(output: &mut BufReader<ChildStdout>) -> Value {
    for line in output.lines() {
        if let Ok(value) = serde_json::from_str(&line.unwrap()) {
            return value;
        }
    }
    panic!("oidc-provider does not answer")
}
