//! A client of these tests: it writes what a test says, and reads answers as they come.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::Sandbox;

/// The protocol with a handshake, and the one after it.
pub(super) const WITH_HANDSHAKE: &str = "2025-11-25";
pub(super) const NEWEST: &str = "2026-07-28";

/// How long an answer may take. Only a test that fails waits for so long.
const DEADLINE: Duration = Duration::from_secs(60);

/// A server and its client.
pub(super) struct Client {
    child: Child,
    stdin: Option<ChildStdin>,
    /// What the server says, a message each.
    said: Receiver<Value>,
    /// Answers that came before they were waited for.
    early: HashMap<u64, Value>,
    /// What each request says of its client, where there was no handshake.
    meta: Option<Value>,
    next: u64,
    stderr: PathBuf,
}

impl Client {
    /// A server that has not heard anything yet.
    pub(super) fn of(mut command: Command, sandbox: &Sandbox) -> Self {
        let stderr = sandbox.root().join("written").join(format!("mcp.{:?}.err", Instant::now()));
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&stderr).unwrap())
            .spawn()
            .unwrap();
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().unwrap());
        let (says, said) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Whatever else is written there breaks the protocol.
                let message = serde_json::from_str(&line).unwrap_or_else(|_| json!({ "garbage": line }));
                if says.send(message).is_err() {
                    return;
                }
            }
        });
        Self { child, stdin, said, early: HashMap::new(), meta: None, next: 0, stderr }
    }

    /// A server in the sandbox, after the handshake.
    pub(super) fn start(sandbox: &Sandbox) -> Self {
        let mut client = Self::of(sandbox.command(&["mcp"]), sandbox);
        client.shake_hands(WITH_HANDSHAKE);
        client
    }

    /// A server in the sandbox, spoken to as the newest protocol has it.
    pub(super) fn newest(sandbox: &Sandbox) -> Self {
        let mut client = Self::of(sandbox.command(&["mcp"]), sandbox);
        client.meta = Some(json!({
            "io.modelcontextprotocol/protocolVersion": NEWEST,
            "io.modelcontextprotocol/clientInfo": { "name": "probe", "version": "1" },
            "io.modelcontextprotocol/clientCapabilities": {},
        }));
        client
    }

    pub(super) fn shake_hands(&mut self, version: &str) -> Value {
        let hello = self.ask(
            "initialize",
            json!({
                "protocolVersion": version, "capabilities": {}, "clientInfo": { "name": "probe", "version": "1" },
            }),
        );
        self.write(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string());
        hello["result"].clone()
    }

    /// Writes a line.
    pub(super) fn write(&mut self, line: &str) {
        let stdin = self.stdin.as_mut().unwrap();
        stdin.write_all(line.as_bytes()).unwrap();
        stdin.write_all(b"\n").unwrap();
    }

    /// Asks something, and answers under which number.
    pub(super) fn send(&mut self, method: &str, mut params: Value) -> u64 {
        self.next += 1;
        if let Some(meta) = &self.meta {
            params["_meta"] = meta.clone();
        }
        let id = self.next;
        self.write(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string());
        id
    }

    /// The next message of the server, whatever it is.
    pub(super) fn hear(&mut self) -> Value {
        self.said.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("nothing comes\n{}", self.stderr()))
    }

    /// The answer to what was asked under that number.
    pub(super) fn answer(&mut self, id: u64) -> Value {
        loop {
            if let Some(answer) = self.early.remove(&id) {
                return answer;
            }
            let message = self.hear();
            let Some(of) = message["id"].as_u64() else { panic!("{message}\n{}", self.stderr()) };
            self.early.insert(of, message);
        }
    }

    pub(super) fn ask(&mut self, method: &str, params: Value) -> Value {
        let id = self.send(method, params);
        self.answer(id)
    }

    /// Asks a tool, and answers under which number.
    pub(super) fn send_call(&mut self, tool: &str, arguments: Value) -> u64 {
        self.send("tools/call", json!({ "name": tool, "arguments": arguments }))
    }

    /// What a tool answers, which has to do what is asked.
    pub(super) fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let id = self.send_call(tool, arguments);
        self.called(id)
    }

    /// The answer of a tool that did what was asked.
    pub(super) fn called(&mut self, id: u64) -> Value {
        let answer = self.answer(id);
        let result = &answer["result"];
        assert_eq!(result["isError"], false, "{answer}");
        let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
        assert_eq!(text, result["structuredContent"], "both say the same");
        text
    }

    /// The error of a tool that does not do what is asked.
    pub(super) fn refused(&mut self, tool: &str, arguments: Value) -> Value {
        let answer = self.ask("tools/call", json!({ "name": tool, "arguments": arguments }));
        let result = &answer["result"];
        assert_eq!(result["isError"], true, "{tool}: {answer}");
        let (text, error) =
            (result["content"][0]["text"].as_str().unwrap(), &result["structuredContent"]["error"]);
        assert!(text.starts_with(&format!("{} ", error["code"].as_str().unwrap())), "{text}");
        assert!(text.contains(error["message"].as_str().unwrap()), "{text}");
        error.clone()
    }

    /// The text of a resource, as JSON.
    pub(super) fn read(&mut self, uri: &str) -> Value {
        let answer = self.ask("resources/read", json!({ "uri": uri }));
        let content = &answer["result"]["contents"][0];
        assert_eq!(content["mimeType"], "application/json", "{answer}");
        serde_json::from_str(content["text"].as_str().unwrap()).unwrap()
    }

    pub(super) fn stderr(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap()
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    pub(super) fn interrupt(&self) {
        kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
    }

    pub(super) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Says that nothing more comes.
    pub(super) fn close(&mut self) {
        self.stdin.take();
    }

    /// How the server ended, and what it wrote that was not read yet.
    pub(super) fn ended(&mut self) -> (Option<i32>, Vec<Value>) {
        let mut rest = Vec::new();
        let deadline = Instant::now() + DEADLINE;
        // Its stdout ends with it.
        while let Ok(message) = self.said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            rest.push(message);
        }
        let status = crate::support::wait_for("the server ends", || self.child.try_wait().unwrap());
        (status.code(), rest)
    }

    /// Says that nothing more comes, and answers with which code the server ends.
    pub(super) fn end(mut self) -> Option<i32> {
        self.close();
        let (code, rest) = self.ended();
        assert!(rest.iter().all(|message| message.get("garbage").is_none()), "{rest:?}");
        code
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
