//! The tools `fetch` and `http`: what is asked over HTTP. Nothing is asked of an address that is not public, unless the configuration
//! allows it: where this process runs, others may trust whoever asks from there.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION};
use reqwest::{Client, Method, Response, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use super::super::http::{self, cause};
use super::super::{Failure, Task};
use super::address::{MayUse, Only, is_public, is_why};
use super::call::{ANSWER_BYTES_MAX, arguments, beginning, on_thread, refused, with_cut};
use super::page;
use crate::events::json::Json;
use crate::events::problem::Code;
use crate::events::run::Outcome;

/// How long it may take to connect. A network that works needs a second or two.
const CONNECT: Duration = Duration::from_secs(10);

/// How long one call may take, with all its redirects. Who answers slower is better asked by a program.
const TIME: Duration = Duration::from_secs(60);

/// How often an address may lead to another: half as often as browsers follow.
const REDIRECTS_MAX: usize = 10;

/// How many bytes of an answer are read. A page has a tenth of it.
const BODY_BYTES_MAX: usize = 4 * 1024 * 1024;

/// How many bytes may be sent.
const SENT_BYTES_MAX: usize = 1024 * 1024;

/// How many bytes of a header's value are answered.
const HEADER_BYTES_MAX: usize = 1024;

/// How many headers are answered.
const HEADERS_MAX: usize = 100;

/// What `fetch` says that it can read.
const ACCEPT: &str = "text/html, text/plain, application/json, text/*;q=0.9, */*;q=0.1";

/// Asks over HTTP.
#[derive(Debug, Default)]
pub(super) struct Web {
    /// The addresses that may be used; none if all may.
    only: Option<MayUse>,
    client: OnceLock<Result<Client, String>>,
}

pub(super) fn input_of_fetch() -> Value {
    json!({
        "type": "object",
        "required": ["url"],
        "additionalProperties": false,
        "properties": {
            "url": {"type": "string", "minLength": 1, "maxLength": 8000, "description": "The address, with http:// or https://"},
        },
    })
}

pub(super) fn input_of_http() -> Value {
    json!({
        "type": "object",
        "required": ["url"],
        "additionalProperties": false,
        "properties": {
            "method": {"type": "string", "enum": ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"], "description": "GET if it is left out"},
            "url": {"type": "string", "minLength": 1, "maxLength": 8000, "description": "The address, with http:// or https://"},
            "headers": {"type": "object", "maxProperties": 50, "additionalProperties": {"type": "string", "maxLength": 8000}},
            "body": {"description": "A text is sent as it is, anything else as JSON"},
        },
    })
}

#[derive(Deserialize)]
struct Fetch {
    url: String,
}

#[derive(Deserialize)]
struct Http {
    method: Option<String>,
    url: String,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    body: Option<Json>,
}

/// What is asked of an address.
#[derive(Clone)]
struct Wanted {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<String>,
}

/// What came back.
struct Came {
    url: Url,
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    is_cut: bool,
}

impl Web {
    pub(super) fn new(private_addresses: bool) -> Self {
        Self::of(if private_addresses { None } else { Some(is_public) })
    }

    /// Uses only these addresses, if it says which.
    pub(super) fn of(only: Option<MayUse>) -> Self {
        Self { only, ..Self::default() }
    }

    /// The text of a page, or of whatever else is text.
    pub(super) async fn fetch(&self, task: &Task) -> Result<Value, Failure> {
        let Fetch { url } = arguments(task)?;
        let headers = HeaderMap::from_iter([(reqwest::header::ACCEPT, HeaderValue::from_static(ACCEPT))]);
        let wanted = Wanted { method: Method::GET, url: self.address(&url)?, headers, body: None };
        let came = self.ask(wanted, true).await?;
        match came.status {
            200..300 => {}
            429 | 500.. => return Err(came.failure(Code::ToolAnswerLater)),
            _ => return Err(came.failure(Code::ToolAnswer)),
        }
        let (kind, url) = (came.kind(), came.url.to_string());
        let mut answer = json!({"url": url, "status": came.status, "type": kind});
        let body_cut = came.is_cut.then(|| format!("of the page {BODY_BYTES_MAX} bytes were read"));
        let Some(mut text) = text(&came.body) else {
            put(&mut answer, "binary", true.into());
            put(&mut answer, "bytes", came.body.len().into());
            return Ok(with_cut(answer, body_cut));
        };
        if is_page(&kind) {
            text = on_thread(move || Ok(page::text(&text))).await?;
        }
        let shown = beginning(&text, ANSWER_BYTES_MAX);
        let text_cut =
            (shown.len() < text.len()).then(|| format!("{} bytes of text follow", text.len() - shown.len()));
        put(&mut answer, "text", shown.into());
        Ok(with_cut(answer, text_cut.or(body_cut)))
    }

    /// Whatever an address answers, be it that it refuses.
    pub(super) async fn http(&self, task: &Task) -> Result<Value, Failure> {
        let Http { method, url, headers: given, body } = arguments(task)?;
        let method = Method::from_bytes(method.as_deref().unwrap_or("GET").as_bytes())
            .map_err(|error| refused(&error.to_string()))?;
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            let bad = || refused(&format!("`{name}` and its value are no header"));
            let name_of = HeaderName::try_from(&name).map_err(|_| bad())?;
            headers.insert(name_of, HeaderValue::try_from(&value).map_err(|_| bad())?);
        }
        let body = match body.as_ref().map(|body| (body.value(), body.text())) {
            None | Some((Value::Null, _)) => None,
            Some((Value::String(text), _)) => Some(text),
            Some((_, json)) => {
                headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
                Some(json.to_owned())
            }
        };
        if body.as_ref().is_some_and(|body| body.len() > SENT_BYTES_MAX) {
            let message = format!("the body has more than {SENT_BYTES_MAX} bytes");
            return Err(Failure::new(Code::ToolTooMuch, message));
        }
        let only_looks = [Method::GET, Method::HEAD, Method::OPTIONS].contains(&method);
        if !only_looks && let Ok(key) = HeaderValue::try_from(&*task.idempotency_key) {
            // A receiver that knows it does the same once, however often it is asked.
            headers.entry(HeaderName::from_static("idempotency-key")).or_insert(key);
        }
        let came = self.ask(Wanted { method, url: self.address(&url)?, headers, body }, only_looks).await?;
        let mut answer =
            json!({"url": came.url.as_str(), "status": came.status, "headers": came.shown_headers()});
        let body_cut = came.is_cut.then(|| format!("of the body {BODY_BYTES_MAX} bytes were read"));
        let Some(text) = text(&came.body) else {
            put(&mut answer, "binary", true.into());
            put(&mut answer, "bytes", came.body.len().into());
            return Ok(with_cut(answer, body_cut));
        };
        let shown = beginning(&text, ANSWER_BYTES_MAX);
        let cut = (shown.len() < text.len()).then(|| format!("{} bytes follow", text.len() - shown.len()));
        put(&mut answer, "body", shown.into());
        Ok(with_cut(answer, cut.or(body_cut)))
    }

    /// Connections are kept, and shared by all calls.
    fn client(&self) -> Result<&Client, Failure> {
        let client = self.client.get_or_init(|| {
            let client = http::client().connect_timeout(CONNECT);
            let client = match self.only {
                None => client,
                // A proxy would find the address of a name itself.
                Some(may_use) => client.no_proxy().dns_resolver(Arc::new(Only(may_use))),
            };
            client.build().map_err(|error| error.to_string())
        });
        client.as_ref().map_err(|why| Failure::new(Code::Internal, format!("nothing can be asked: {why}")))
    }

    /// An address that may be asked; of a name that is known when it is looked up.
    fn address(&self, text: &str) -> Result<Url, Failure> {
        let url = Url::parse(text).map_err(|error| refused(&format!("`url` is no address: {error}")))?;
        self.check(&url).map(|()| url)
    }

    fn check(&self, url: &Url) -> Result<(), Failure> {
        let no = |why: &str| Err(Failure::new(Code::ToolAddress, format!("{}: {why}", without_secret(url))));
        if !["http", "https"].contains(&url.scheme()) {
            return no("only http and https are spoken");
        }
        let Some(host) = url.host_str() else { return no("it names no host") };
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        match (self.only, address) {
            (Some(may_use), Ok(address)) if !may_use(address) => no("it is not public"),
            _ => Ok(()),
        }
    }

    /// Asks, and follows where it leads if that is wanted.
    async fn ask(&self, wanted: Wanted, follows: bool) -> Result<Came, Failure> {
        let (client, method) = (self.client()?, wanted.method.clone());
        let answered = tokio::time::timeout(TIME, self.follow(client, wanted, follows));
        answered.await.unwrap_or_else(|_| {
            let message = format!("there was no whole answer within {} s", TIME.as_secs());
            Err(in_doubt(Failure::new(Code::ToolTooSlow, message), &method))
        })
    }

    async fn follow(&self, client: &Client, mut wanted: Wanted, follows: bool) -> Result<Came, Failure> {
        for _ in 0..=REDIRECTS_MAX {
            let Wanted { method, url, headers, body } = wanted.clone();
            let mut request = client.request(method, url.clone()).headers(headers);
            if let Some(body) = body {
                request = request.body(body);
            }
            let response = request.send().await.map_err(|error| not_reached(error, &wanted))?;
            let leads_to = response.headers().get(LOCATION).filter(|_| follows && is_redirect(&response));
            let Some(location) = leads_to else {
                return read(response, url).await.map_err(|failure| in_doubt(failure, &wanted.method));
            };
            let next = location.to_str().ok().and_then(|location| url.join(location).ok());
            let next = next.ok_or_else(|| {
                Failure::new(Code::ToolRedirects, format!("{} leads nowhere", without_secret(&url)))
            })?;
            self.check(&next)?;
            if next.origin() != url.origin() {
                // What was meant for one is not told to another.
                wanted.headers = HeaderMap::new();
            }
            wanted.url = next;
        }
        let message = format!("{} leads on more than {REDIRECTS_MAX} times", without_secret(&wanted.url));
        Err(Failure::new(Code::ToolRedirects, message))
    }
}

impl Came {
    /// What it says that it is.
    fn kind(&self) -> String {
        let kind = self.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        beginning(kind, HEADER_BYTES_MAX).to_owned()
    }

    fn shown_headers(&self) -> Value {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let shown = self.headers.iter().take(HEADERS_MAX).map(|(name, value)| {
            let value = text(value);
            (name.to_string(), Value::from(beginning(&value, HEADER_BYTES_MAX)))
        });
        Value::Object(shown.collect())
    }

    fn failure(&self, code: Code) -> Failure {
        Failure::new(code, format!("{} answered with {}", without_secret(&self.url), self.status))
    }
}

fn put(answer: &mut Value, key: &str, value: Value) {
    if let Some(map) = answer.as_object_mut() {
        map.insert(key.to_owned(), value);
    }
}

fn is_redirect(response: &Response) -> bool {
    matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308)
}

fn is_page(kind: &str) -> bool {
    ["text/html", "application/xhtml+xml"].iter().any(|page| kind.to_ascii_lowercase().starts_with(page))
}

/// A body as text; none if it is none.
fn text(body: &[u8]) -> Option<String> {
    let is_text = !super::read::is_binary(body);
    is_text.then(|| String::from_utf8_lossy(body).into_owned())
}

/// Reads as much of an answer as is of use.
async fn read(mut response: Response, url: Url) -> Result<Came, Failure> {
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let (mut body, mut is_cut) = (Vec::new(), false);
    while let Some(more) = response.chunk().await.map_err(|error| {
        let why = cause(&error.without_url());
        Failure::new(Code::ToolUnreachable, format!("{} broke off: {why}", without_secret(&url)))
    })? {
        let room = BODY_BYTES_MAX - body.len();
        body.extend_from_slice(more.get(..room.min(more.len())).unwrap_or_default());
        if more.len() > room {
            is_cut = true;
            break;
        }
    }
    Ok(Came { url, status, headers, body, is_cut })
}

fn not_reached(error: reqwest::Error, wanted: &Wanted) -> Failure {
    let shown = without_secret(&wanted.url);
    if is_why(&error) {
        return Failure::new(Code::ToolAddress, format!("{shown}: it is not public"));
    }
    let was_sent = !error.is_connect() && !error.is_builder();
    let why = cause(&error.without_url());
    let failure = Failure::new(Code::ToolUnreachable, format!("{shown} cannot be reached: {why}"));
    if was_sent { in_doubt(failure, &wanted.method) } else { failure }
}

/// A failure after something was sent: nobody knows what a request did that changes something.
fn in_doubt(failure: Failure, method: &Method) -> Failure {
    if method.is_safe() { failure } else { Failure { outcome: Outcome::Unknown, ..failure } }
}

/// An address as messages tell it: without user, password and what is asked in it.
fn without_secret(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("`{}://{}{port}{}`", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}
