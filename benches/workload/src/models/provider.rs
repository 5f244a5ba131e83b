//! A provider of models that answers as fast as it is told to, in the format of Chat Completions.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

/// In how many pieces an answer comes.
const PIECES: usize = 20;

/// A server that goes on until the process ends.
pub(crate) struct Provider {
    address: String,
    at_once: Arc<AtOnce>,
}

/// How many answers come now, and came at most.
#[derive(Default)]
struct AtOnce {
    now: AtomicUsize,
    most: AtomicUsize,
}

#[derive(Clone, Copy)]
struct Pace {
    /// How long nothing comes.
    thinks: Duration,
    /// How long it is from piece to piece.
    pause: Duration,
}

impl Provider {
    pub(crate) fn start(thinks: Duration, pause: Duration) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?.to_string();
        let at_once = Arc::new(AtOnce::default());
        let counts = Arc::clone(&at_once);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (counts, pace) = (Arc::clone(&counts), Pace { thinks, pause });
                std::thread::spawn(move || serve(&stream, pace, &counts));
            }
        });
        Ok(Self { address, at_once })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub(crate) fn most_at_once(&self) -> usize {
        self.at_once.most.load(Ordering::SeqCst)
    }
}

/// Answers all requests of a connection, until it is closed.
fn serve(stream: &TcpStream, pace: Pace, at_once: &AtOnce) {
    let mut reader = BufReader::new(stream);
    while let Ok(body) = read(&mut reader) {
        std::thread::sleep(pace.thinks);
        let now = at_once.now.fetch_add(1, Ordering::SeqCst) + 1;
        at_once.most.fetch_max(now, Ordering::SeqCst);
        let written = write(stream, &body, pace.pause);
        at_once.now.fetch_sub(1, Ordering::SeqCst);
        if written.is_err() {
            return;
        }
    }
}

fn read(reader: &mut BufReader<&TcpStream>) -> Result<Value> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
        if line.is_empty() {
            break;
        }
    }
    anyhow::ensure!(length > 0, "the connection is closed");
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    serde_json::from_slice(&body).context("a request")
}

fn write(mut stream: &TcpStream, body: &Value, pause: Duration) -> Result<()> {
    stream.set_nodelay(true)?;
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes())?;
    let mut rest = String::new();
    for delta in deltas(body) {
        let event = chunk(&json!([{ "index": 0, "delta": delta, "finish_reason": null }]), &Value::Null);
        if pause.is_zero() {
            rest.push_str(&event);
        } else {
            send(stream, &event)?;
            std::thread::sleep(pause);
        }
    }
    let usage = json!({ "prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120 });
    rest.push_str(&chunk(&json!([{ "index": 0, "delta": {}, "finish_reason": "stop" }]), &Value::Null));
    rest.push_str(&chunk(&json!([]), &usage));
    rest.push_str("data: [DONE]\n\n");
    send(stream, &rest)?;
    stream.write_all(b"0\r\n\r\n")?;
    Ok(())
}

/// What comes piece by piece: a call of the tool, until as many turns are over as the prompt says; else a few words.
fn deltas(body: &Value) -> Vec<Value> {
    let messages = body["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let turns = messages.iter().filter(|message| message["role"] == "assistant").count();
    let wanted = messages
        .iter()
        .find_map(|message| message["content"].as_str()?.strip_prefix("turns: ")?.parse::<usize>().ok());
    if wanted.is_some_and(|wanted| turns + 1 < wanted) {
        let function = json!({ "name": "work", "arguments": json!({ "number": turns }).to_string() });
        let call =
            json!({ "index": 0, "id": format!("call_{turns}"), "type": "function", "function": function });
        return vec![json!({ "tool_calls": [call] })];
    }
    (0..PIECES).map(|piece| json!({ "content": format!("word{piece} ") })).collect()
}

fn chunk(choices: &Value, usage: &Value) -> String {
    let chunk = json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "small", "choices": choices, "usage": usage });
    format!("data: {chunk}\n\n")
}

fn send(mut stream: &TcpStream, text: &str) -> Result<()> {
    stream.write_all(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes())?;
    Ok(())
}
