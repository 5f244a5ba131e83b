//! As much of HTTP/1.1 as clients of models need.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    headers: Vec<(String, String)>,
    /// Null if it is no JSON.
    pub(crate) body: Value,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(is, _)| is.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }
}

/// The next request of a connection; none when that is over.
pub(super) fn read(stream: &TcpStream) -> Option<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
    let mut words = line.split_whitespace();
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        headers.push((name.to_owned(), value.trim().to_owned()));
    }
    let asked = Asked { method, path, headers, body: Value::Null };
    let length = asked.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Asked { body: serde_json::from_slice(&body).unwrap_or_default(), ..asked })
}

/// An answer to a request.
pub(super) struct Answering<'s> {
    stream: &'s TcpStream,
    begun: bool,
}

impl<'s> Answering<'s> {
    pub(super) fn new(stream: &'s TcpStream) -> Self {
        Self { stream, begun: false }
    }

    /// Answers all at once.
    pub(super) fn whole(&mut self, status: u16, headers: &[(&str, String)], kind: &str, body: &[u8]) -> bool {
        let mut head =
            format!("HTTP/1.1 {status} Said\r\ncontent-type: {kind}\r\ncontent-length: {}\r\n", body.len());
        head.push_str("request-id: req_whole\r\n");
        for (name, value) in headers.iter().filter(|(name, _)| *name != "content-type") {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let sent = self.stream.write_all(format!("{head}\r\n").as_bytes());
        sent.and_then(|()| self.stream.write_all(body)).is_ok()
    }

    /// Answers events, and ends.
    pub(super) fn stream(
        &mut self,
        events: impl IntoIterator<Item = String>,
        pause: Option<Duration>,
    ) -> bool {
        let sent = events.into_iter().all(|event| {
            pause.into_iter().for_each(std::thread::sleep);
            self.stream_on([event])
        });
        sent && self.stream.write_all(b"0\r\n\r\n").is_ok()
    }

    /// Answers events, and does not end.
    pub(super) fn stream_on(&mut self, events: impl IntoIterator<Item = String>) -> bool {
        if !std::mem::replace(&mut self.begun, true) {
            let head = "HTTP/1.1 200 Said\r\ncontent-type: text/event-stream; charset=utf-8\r\n\
                        request-id: req_stream\r\ntransfer-encoding: chunked\r\n\r\n";
            if self.stream.write_all(head.as_bytes()).is_err() {
                return false;
            }
        }
        events.into_iter().all(|event| {
            let chunk = format!("{:x}\r\n{event}\r\n", event.len());
            self.stream.write_all(chunk.as_bytes()).is_ok()
        })
    }

    /// Waits until the other end has closed the connection.
    pub(super) fn wait_until_left(&self) {
        let mut stream = self.stream;
        while stream.read(&mut [0; 64]).is_ok_and(|count| count > 0) {}
    }
}
