//! A provider of models, as a test uses one: it speaks both formats as the providers do, says what the test has it say, and
//! remembers what it was asked. It is no part of the program, which asks it over the network as it would any other.

mod formats;
mod http;

use std::collections::VecDeque;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use formats::{Format, Said};
use http::{Answering, Asked};

/// What the provider does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    /// Answers this, in pieces of a few characters.
    Says(String),
    /// Says something, and wants tools to be used: the name of each, and what it is given.
    WantsTools(&'static str, Vec<(&'static str, Value)>),
    /// Wants a tool to be used, and writes something that is no JSON: the name, and that.
    WantsToolWith(&'static str, &'static str),
    /// Answers this, and that it has become too long.
    CutsShort(&'static str),
    /// Answers with a status that is no success, further headers and a body.
    Refuses(u16, Vec<(&'static str, String)>, String),
    /// Says nothing, and keeps the connection open.
    HangsBefore,
    /// Begins to answer this, then says nothing more, and keeps the connection open.
    HangsWithin(&'static str),
    /// Begins to answer this, and closes the connection.
    ClosesWithin(&'static str),
    /// Begins to answer this, and says that it has failed: the kind of error, as providers call it.
    FailsWithin(&'static str, &'static str),
    /// Answers what is nothing of its format, as if it were.
    Garbage,
    /// Answers a page, as something does that stands in between.
    Html,
    /// Answers without end, up to 100 MB.
    Floods,
    /// Answers this, with a pause before each piece.
    SaysSlowly(String, Duration),
    /// Answers this as a whole, whatever it is asked for.
    SaysAtOnce(String),
}

impl Does {
    pub(crate) fn says(text: &str) -> Self {
        Self::Says(text.to_owned())
    }

    /// Wants a tool to be used: its name, and what it is given.
    pub(crate) fn wants_tool(name: &'static str, input: Value) -> Self {
        Self::WantsTools("", vec![(name, input)])
    }

    /// Refuses with an error as both formats have it.
    pub(crate) fn refuses(status: u16, kind: &str, message: &str) -> Self {
        let body = serde_json::json!({
            "type": "error", "error": { "type": kind, "code": kind, "message": message },
        });
        Self::Refuses(status, vec![("content-type", "application/json".to_owned())], body.to_string())
    }

    /// The same, with a time after which to try again.
    pub(crate) fn busy(status: u16, retry_after: &str) -> Self {
        let Self::Refuses(status, mut headers, body) = Self::refuses(status, "rate_limit_error", "slow down")
        else {
            unreachable!()
        };
        headers.push(("retry-after", retry_after.to_owned()));
        Self::Refuses(status, headers, body)
    }
}

/// A provider that runs in the test's own process, until that ends.
pub(crate) struct Provider {
    address: String,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    /// What is done with the next requests; then everything is answered alike.
    next: VecDeque<Does>,
    asked: Vec<Asked>,
    /// How many connections were closed by who asked while it hung.
    left: usize,
}

/// What it answers where a test says nothing.
pub(crate) const USUAL: &str = "All is well.";

/// What it counts for each answer: tokens that went in, those of them that it had kept, and tokens that came out.
pub(crate) const TOKENS: (u64, u64, u64) = (12, 4, 7);

/// The key that lets in.
pub(crate) const KEY: &str = "sk-test-5f3a9b1c-d2e4";

impl Provider {
    pub(crate) fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || answer(&stream, &state));
            }
        });
        Self { address, state }
    }

    /// The address below which it is asked in a format, as the clients of providers are told it.
    pub(crate) fn url(&self, kind: &str) -> String {
        let below = if kind == "openai" { "/v1" } else { "" };
        format!("http://{}{below}", self.address)
    }

    /// The configuration with a model `small` of it, which agents ask that name none.
    pub(crate) fn configuration(&self, kind: &str) -> String {
        format!(
            "default_model = 'small'\n[providers.local]\nkind = '{kind}'\nbase_url = '{}'\napi_key_env = 'LOCAL_KEY'\n\
             [models.small]\nprovider = 'local'\nid = 'small-1'\naliases = ['quick']\n\
             price = {{ input = 0.5, output = 2.0, cached = 0.05 }}\n",
            self.url(kind)
        )
    }

    /// Has it do this with the next requests, one after the other.
    pub(crate) fn then(&self, does: impl IntoIterator<Item = Does>) {
        self.state.lock().unwrap().next.extend(does);
    }

    /// How often it was asked.
    pub(crate) fn calls(&self) -> usize {
        self.state.lock().unwrap().asked.len()
    }

    /// The bodies of what it was asked.
    pub(crate) fn bodies(&self) -> Vec<Value> {
        self.state.lock().unwrap().asked.iter().map(|asked| asked.body.clone()).collect()
    }

    /// The value of a header of the last request.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        self.state.lock().unwrap().asked.last().and_then(|asked| asked.header(name).map(str::to_owned))
    }

    /// How often who asked has gone while it hung.
    pub(crate) fn left(&self) -> usize {
        self.state.lock().unwrap().left
    }
}

/// Answers all requests of a connection.
fn answer(stream: &TcpStream, state: &Mutex<State>) {
    while let Some(asked) = http::read(stream) {
        let does = {
            let mut state = state.lock().unwrap();
            state.asked.push(asked.clone());
            // Who is not let in, and who asks what makes no sense, is told so and uses nothing up.
            match formats::check(&asked) {
                Err((status, kind, message)) => Does::refuses(status, kind, &message),
                Ok(_) => state.next.pop_front().unwrap_or_else(|| Does::says(USUAL)),
            }
        };
        let answering = Answering::new(stream);
        if !act(answering, &asked, does, state) {
            return;
        }
    }
}

/// Does what it is to do with a request; answers whether the connection goes on.
fn act(mut to: Answering<'_>, asked: &Asked, does: Does, state: &Mutex<State>) -> bool {
    let format = Format::of(asked);
    let number = state.lock().unwrap().asked.len();
    let streams = asked.body["stream"] == true;
    let whole = |said: Said| formats::document(format, &said);
    let whole_or_stream = |to: &mut Answering<'_>, said: Said, pause: Option<Duration>| match streams {
        true => to.stream(formats::events(format, &said), pause),
        false => to.whole(200, &[], "application/json", whole(said).to_string().as_bytes()),
    };
    match does {
        Does::Says(text) => whole_or_stream(&mut to, Said::text(&text), None),
        Does::SaysSlowly(text, pause) => whole_or_stream(&mut to, Said::text(&text), Some(pause)),
        Does::WantsTools(text, tools) => {
            let tools = tools.into_iter().map(|(name, input)| (name.to_owned(), input.to_string()));
            whole_or_stream(&mut to, Said::tools(text, tools.collect(), number), None)
        }
        Does::WantsToolWith(name, input) => {
            let tools = vec![(name.to_owned(), input.to_owned())];
            whole_or_stream(&mut to, Said::tools("", tools, number), None)
        }
        Does::CutsShort(text) => whole_or_stream(&mut to, Said::cut(text), None),
        Does::SaysAtOnce(text) => {
            to.whole(200, &[], "application/json", whole(Said::text(&text)).to_string().as_bytes())
        }
        Does::Refuses(status, headers, body) => {
            let kind = headers.iter().find(|(name, _)| *name == "content-type").map(|(_, kind)| kind.clone());
            to.whole(status, &headers, &kind.unwrap_or_else(|| "text/plain".to_owned()), body.as_bytes())
        }
        Does::Html => to.whole(200, &[], "text/html", b"<!DOCTYPE html>\n<title>Please log in</title>"),
        Does::Garbage => to.stream(["data: {\"choices\": [{\"del\n\n".to_owned()], None),
        Does::HangsBefore => {
            hangs(&to, state);
            false
        }
        Does::HangsWithin(text) => {
            to.stream_on(formats::beginning(format, text));
            hangs(&to, state);
            false
        }
        Does::ClosesWithin(text) => {
            to.stream_on(formats::beginning(format, text));
            false
        }
        Does::FailsWithin(text, kind) => {
            let events = formats::beginning(format, text).into_iter().chain([formats::failure(format, kind)]);
            to.stream(events, None)
        }
        Does::Floods => {
            to.stream_on(formats::beginning(format, "so "));
            let much = formats::piece(format, &"very ".repeat(20_000));
            let _ = (0..1_000).try_for_each(|_| to.stream_on([much.clone()]).then_some(()).ok_or(()));
            false
        }
    }
}

/// Says nothing until who asked has gone.
fn hangs(to: &Answering<'_>, state: &Mutex<State>) {
    to.wait_until_left();
    state.lock().unwrap().left += 1;
}
