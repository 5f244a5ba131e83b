//! One call of a model, from the request to the end of the answer, within its bounds. Dropped, it closes its connection.

use std::time::{Duration, Instant};

use reqwest::header::{CONTENT_TYPE, HeaderMap};
use tokio::time::timeout_at;

use super::conversation::{Answer, Request};
use super::failure;
use super::models::{Bounds, Chosen, Key};
use super::sse::Events;
use super::wire::{self, Broken, Piece, Reader};
use crate::executors::mask::Masks;
use crate::workflow::work::Failure;

/// How much is read of an answer that says why there is none, in bytes.
const REFUSAL_BYTES_MAX: usize = 16 * 1024;

/// How many characters of it are told.
const REFUSAL_CHARS_MAX: usize = 400;

/// How long that is waited for.
const REFUSAL_WAIT: Duration = Duration::from_secs(5);

/// The headers by which providers name a request.
const REQUEST_IDS: [&str; 2] = ["request-id", "x-request-id"];

/// How many characters of such a name are kept.
const REQUEST_ID_CHARS_MAX: usize = 200;

/// A call that is being made.
pub(super) struct Call<'a> {
    provider: &'a str,
    bounds: &'a Bounds,
    masks: &'a Masks,
    began: Instant,
    /// When the model said something for the first time.
    first: Option<Instant>,
    response: Option<reqwest::Response>,
    /// Whether the answer comes in pieces.
    streams: bool,
    document: Vec<u8>,
    events: Events,
    pending: std::collections::VecDeque<String>,
    reader: Reader,
    read_bytes: usize,
    request_id: Option<String>,
}

impl<'a> Call<'a> {
    /// A call that is not made yet.
    pub(super) fn new(chosen: &Chosen<'a>, bounds: &'a Bounds, masks: &'a Masks) -> Self {
        Self {
            provider: chosen.provider_name,
            bounds,
            masks,
            began: Instant::now(),
            first: None,
            response: None,
            streams: false,
            document: Vec::new(),
            events: Events::default(),
            pending: std::collections::VecDeque::new(),
            reader: Reader::new(chosen.wire),
            read_bytes: 0,
            request_id: None,
        }
    }

    /// Sends the request, and waits until an answer begins.
    ///
    /// # Errors
    /// Why there is none.
    pub(super) async fn send(
        &mut self,
        client: &reqwest::Client,
        chosen: &Chosen<'_>,
        key: Option<&Key>,
        request: &Request,
    ) -> Result<(), Failure> {
        let outgoing = wire::outgoing(chosen, key, request);
        let mut sending = client.post(outgoing.url).header(CONTENT_TYPE, "application/json");
        for (name, value) in outgoing.headers {
            sending = sending.header(name, value);
        }
        let sending = sending.body(outgoing.body.to_string()).send();
        let (until, bound) = self.first_deadline();
        let sent = timeout_at(until.into(), sending).await;
        let response = sent.map_err(|_| failure::too_slow(self.provider, "nothing came", bound))?;
        let response = response.map_err(|error| failure::of_error(self.provider, error))?;
        self.request_id = request_id(response.headers());
        if !response.status().is_success() {
            return Err(self.refused(response).await);
        }
        let kind =
            response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
            "text/event-stream" => self.streams = true,
            "application/json" => {}
            _ => return Err(self.makes_no_sense(response).await),
        }
        self.response = Some(response);
        Ok(())
    }

    /// The next words of the model, as they come; none when it has said everything.
    ///
    /// # Errors
    /// Why the answer does not come to its end.
    pub(super) async fn next(&mut self) -> Result<Option<String>, Failure> {
        loop {
            while let Some(data) = self.pending.pop_front() {
                let piece = self.reader.event(&data).map_err(|broken| self.broken(broken))?;
                if let Some(text) = self.take(piece) {
                    return Ok(Some(text));
                }
            }
            if self.reader.is_over() {
                return Ok(None);
            }
            match self.chunk().await? {
                Some(bytes) if self.streams => self.pending.extend(self.events.push(&bytes)),
                Some(bytes) => self.document.extend_from_slice(&bytes),
                None if self.streams && self.reader.is_whole() => return Ok(None),
                None if self.streams => {
                    return Err(failure::lost(self.provider, "the connection was closed before its end"));
                }
                None => {
                    let document = std::mem::take(&mut self.document);
                    let read = self.reader.document(&String::from_utf8_lossy(&document));
                    let piece = read.map_err(|broken| self.broken(broken))?;
                    return Ok(self.take(piece));
                }
            }
        }
    }

    /// What has come of the answer.
    pub(super) fn answer(&self) -> Answer {
        self.reader.answer()
    }

    /// How long it took so far, and until the model said something.
    pub(super) fn took(&self) -> (Duration, Option<Duration>) {
        (self.began.elapsed(), self.first.map(|first| first.duration_since(self.began)))
    }

    /// The provider's name for the request, or else for the answer.
    pub(super) fn request_id(&self) -> Option<String> {
        let id = self.request_id.as_deref().or(self.reader.id())?;
        Some(id.chars().filter(|char| !char.is_control()).take(REQUEST_ID_CHARS_MAX).collect())
    }

    fn take(&mut self, piece: Piece) -> Option<String> {
        if piece.begun && self.first.is_none() {
            self.first = Some(Instant::now());
        }
        Some(piece.text).filter(|text| !text.is_empty())
    }

    /// Until when the model has to have said something, and how long that is.
    fn first_deadline(&self) -> (Instant, Duration) {
        let bound = self.bounds.first.min(self.bounds.total);
        (self.began + bound, bound)
    }

    /// The next bytes of the answer; none at its end.
    async fn chunk(&mut self) -> Result<Option<Vec<u8>>, Failure> {
        let total = (self.began + self.bounds.total, "the whole answer did not come", self.bounds.total);
        let (first, bound) = self.first_deadline();
        let next = match self.first {
            None if self.streams => (first, "nothing came", bound),
            _ => (Instant::now() + self.bounds.idle, "nothing more came", self.bounds.idle),
        };
        let (until, what, within) = if next.0 < total.0 { next } else { total };
        let Some(response) = &mut self.response else { return Ok(None) };
        let chunk = timeout_at(until.into(), response.chunk()).await;
        let chunk = chunk.map_err(|_| failure::too_slow(self.provider, what, within))?;
        let chunk = chunk.map_err(|error| failure::of_error(self.provider, error))?;
        self.read_bytes += chunk.as_ref().map_or(0, |bytes| bytes.len());
        if self.read_bytes > self.bounds.answer_bytes_max {
            return Err(failure::too_long(self.provider, self.bounds.answer_bytes_max));
        }
        Ok(chunk.map(|bytes| bytes.to_vec()))
    }

    fn broken(&self, broken: Broken) -> Failure {
        failure::of_broken(self.provider, broken)
    }

    async fn refused(&self, mut response: reqwest::Response) -> Failure {
        let (status, headers) = (response.status(), response.headers().clone());
        let said = self.beginning(&mut response).await;
        failure::of_status(self.provider, status, &headers, &said)
    }

    async fn makes_no_sense(&self, mut response: reqwest::Response) -> Failure {
        let said = self.beginning(&mut response).await;
        self.broken(Broken::Garbage(said.chars().take(wire::SHOWN_CHARS_MAX).collect()))
    }

    /// How an answer begins, masked: first that, then cut, as half of a value would not be known for one.
    async fn beginning(&self, response: &mut reqwest::Response) -> String {
        let (mut said, mut more_follow) = (Vec::new(), true);
        let reading = async {
            while more_follow && said.len() < REFUSAL_BYTES_MAX {
                match response.chunk().await {
                    Ok(Some(more)) => said.extend_from_slice(&more),
                    _ => more_follow = false,
                }
            }
        };
        // Whoever says no need not say why.
        let _ = tokio::time::timeout(REFUSAL_WAIT, reading).await;
        let masked = self.masks.beginning(&said, more_follow);
        let text = String::from_utf8_lossy(&masked);
        match serde_json::from_str::<serde_json::Value>(&text) {
            Ok(_) if !more_follow => text.into_owned(),
            _ => text.chars().take(REFUSAL_CHARS_MAX).collect(),
        }
    }
}

fn request_id(headers: &HeaderMap) -> Option<String> {
    let found = REQUEST_IDS.iter().find_map(|name| headers.get(*name)?.to_str().ok());
    found.map(str::to_owned)
}
