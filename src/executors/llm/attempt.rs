//! The turns of an attempt: what is asked, what comes of it, and what is told of both.

use std::sync::Arc;
use std::time::Instant;

use serde_json::{Map, Value};

use super::breaker::{Pass, Patience};
use super::call::Call;
use super::conversation::{Answer, Ended, Message, Request};
use super::models::{Chosen, Key};
use super::{LlmExecutor, failure, prompt, tools, window};
use crate::events::json::Json;
use crate::events::problem::{Class, Code};
use crate::events::run::Usage;
use crate::events::time::{Timestamp, micros};
use crate::executors::logs::Tap;
use crate::executors::logs::line::Stream;
use crate::executors::mask::{Masks, stream};
use crate::executors::subprocess::{ended, protocol, speaker};
use crate::executors::{AgentRequest, Failure, Output, Task, now};
use crate::workflow::work::{ModelCall, Transcript, Written};
use crate::workflow::{answer, output};

/// An attempt that is being made. What it has done so far stands here, so that it is known also where it is stopped.
pub(super) struct Attempt<'a> {
    executor: &'a LlmExecutor,
    client: &'a reqwest::Client,
    chosen: Chosen<'a>,
    key: Option<Key>,
    request: Request,
    /// Whether nothing of the conversation is recorded with an earlier turn.
    is_first: bool,
    /// How many messages of the conversation are recorded with a call.
    recorded: usize,
    calls: Vec<ModelCall>,
    /// The call that goes on.
    open: Option<Call<'a>>,
    /// What the model said in words, turn by turn.
    said: String,
    log: Log<'a>,
    prompt: Option<String>,
    started_at: Timestamp,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(
        executor: &'a LlmExecutor,
        (client, chosen, key): (&'a reqwest::Client, Chosen<'a>, Option<Key>),
        task: &Task,
    ) -> Self {
        let agent = &executor.agent;
        let number = |key: &str| agent.settings.get(key);
        let max_tokens = number("max_tokens").and_then(Value::as_u64).and_then(|max| u32::try_from(max).ok());
        let messages = prompt::messages(task);
        // What was said before stands in the run already, with the turns that it was said in.
        let recorded = messages.len() - 1;
        let request = Request {
            system: prompt::with_system_turns(prompt::system(agent), task),
            messages,
            tools: task.turn.as_ref().map(|turn| turn.tools.clone()).unwrap_or_default(),
            max_tokens: max_tokens.or(chosen.model.max_output),
            temperature: number("temperature").and_then(Value::as_f64),
            schema: task.schema.clone(),
        };
        Self {
            executor,
            client,
            chosen,
            key,
            request,
            is_first: prompt::is_first(task),
            recorded,
            calls: Vec::new(),
            open: None,
            said: String::new(),
            log: Log::new(executor.logs.tap(speaker(task)), &executor.masks),
            prompt: task.work.prompt.clone(),
            started_at: now(),
        }
    }

    /// Asks until there is an answer that can be taken, or that cannot be mended.
    pub(super) async fn talk(&mut self) -> Result<Output, Failure> {
        let mut repairs = self.executor.asking.models.bounds.repairs;
        loop {
            let answer = self.turn().await?;
            let (came_to, mend) = self.came_to(&answer);
            let Some(mend) = mend.filter(|_| repairs > 0) else { return came_to };
            repairs -= 1;
            // A message without a part is none to any provider.
            let answered = Some(answer.message()).filter(|message| !message.content.is_empty());
            self.request.messages.extend(answered);
            // It stands in the record of the call that it answers.
            self.recorded = self.request.messages.len();
            self.request.messages.push(mend);
            self.end_line();
        }
    }

    /// What an answer comes to, and what the model is told where it could be mended.
    fn came_to(&self, answer: &Answer) -> (Result<Output, Failure>, Option<Message>) {
        if answer.ended != Ended::CutShort
            && let Some(wanted) = tools::wanted(answer, &self.request.tools, self.chosen.name)
        {
            return wanted;
        }
        let output = self.whole(answer).and_then(|text| protocol::output(text.as_bytes()));
        let is_whole = !matches!(answer.ended, Ended::CutShort | Ended::Declined);
        let misfit = misfit(self.request.schema.as_ref(), &output).filter(|_| is_whole);
        (output, misfit.map(|why| prompt::mend(&why)))
    }

    /// One call, and its record, whatever comes of it.
    async fn turn(&mut self) -> Result<Answer, Failure> {
        window::check(&self.request, &self.chosen).await?;
        let pass = self.enter()?;
        let Self { executor, chosen, .. } = self;
        self.open = Some(Call::new(chosen, &executor.asking.models.bounds, &executor.masks));
        let result = self.ask().await;
        match &result {
            Err(failure) if matches!(failure.class, Class::Transient | Class::Unknown) => {
                pass.failed(self.patience(), Instant::now());
            }
            _ => pass.answered(),
        }
        self.record(result.as_ref().err().map(|failure| failure.code));
        result
    }

    async fn ask(&mut self) -> Result<Answer, Failure> {
        let Some(call) = &mut self.open else {
            return Err(Failure::new(Code::Internal, "a call goes on that was not begun"));
        };
        call.send(self.client, &self.chosen, self.key.as_ref(), &self.request).await?;
        while let Some(text) = call.next().await? {
            self.said.push_str(&text);
            self.log.say(text.as_bytes());
            self.log.tap.room().await;
        }
        Ok(call.answer())
    }

    /// The right to make a call.
    fn enter(&self) -> Result<Pass, Failure> {
        let provider = Arc::from(self.chosen.provider_name);
        let entered = self.executor.asking.breakers.enter(&provider, Instant::now());
        entered.map_err(|wait| failure::left_alone(&provider, wait))
    }

    fn patience(&self) -> Patience {
        let bounds = &self.executor.asking.models.bounds;
        Patience { failures: bounds.breaker_failures, pause: bounds.breaker_pause }
    }

    /// The text of an answer, if it is one that can be taken.
    fn whole(&self, answer: &Answer) -> Result<String, Failure> {
        let model = self.chosen.name;
        match answer.ended {
            Ended::CutShort => {
                let message =
                    format!("the answer of the model `{model}` was cut off: it may have no more tokens");
                Err(Failure::new(Code::ModelCutShort, message))
            }
            Ended::Declined => {
                let message = format!("the model `{model}` declined to answer: {}", answer.text());
                Err(Failure::new(Code::ModelDeclined, message.trim_end_matches([':', ' ']).to_owned()))
            }
            Ended::Done | Ended::Tools => Ok(answer.text()),
        }
    }

    /// Takes down the call that was open.
    fn record(&mut self, error: Option<Code>) {
        let Some(call) = self.open.take() else { return };
        let messages = self.request.messages.get(self.recorded..).unwrap_or_default();
        let messages = messages.iter().map(Message::recorded).collect();
        // What was never sent was no call.
        if error == Some(Code::ModelUnreachable) {
            return;
        }
        self.recorded = self.request.messages.len();
        let (answer, (latency, first)) = (call.answer(), call.took());
        let is_first = self.is_first && self.calls.is_empty();
        let system = Some(&self.request.system).filter(|system| is_first && !system.is_empty());
        let tools = Some(&self.request.tools).filter(|tools| is_first && !tools.is_empty());
        self.calls.push(ModelCall {
            turn: u32::try_from(self.calls.len() + 1).unwrap_or(u32::MAX),
            provider: self.chosen.provider_name.into(),
            model: self.chosen.name.into(),
            id: self.chosen.id().into(),
            parameters: parameters(&self.request),
            system: system.map(|system| Json::from(&Value::from(system.as_str()))),
            tools: tools.and_then(|tools| Json::of(tools).ok()),
            messages,
            answer: error.is_none().then(|| answer.message().recorded()),
            stop: answer.stop.clone(),
            tokens: answer.tokens,
            usd_nanos: answer.tokens.map(|tokens| self.chosen.model.prices.cost(tokens)).unwrap_or_default(),
            latency_us: micros(latency),
            first_us: first.map(micros),
            request_id: call.request_id().map(Into::into),
            error,
        });
    }

    fn end_line(&mut self) {
        if !self.said.is_empty() && !self.said.ends_with('\n') {
            self.said.push('\n');
            self.log.say(b"\n");
        }
    }

    /// The attempt has ended: what came of it, with all that there is to tell.
    pub(super) async fn end(mut self, result: Result<Output, Failure>) -> Result<Output, Failure> {
        self.record(result.as_ref().err().map(|failure| failure.code));
        let Self { calls, said, log, prompt, started_at, .. } = self;
        let usage = calls.iter().fold(Usage::default(), |sum, call| sum.and(call.usage()));
        let stdout = Written::of(said.into_bytes());
        let said = Transcript { prompt, stdout, started_at, ended_at: now(), ..Transcript::default() };
        // Before anybody hears of the end: who does finds all that was said.
        log.end(&said, &result).await;
        let transcript = Some(said.into_json());
        match result {
            Ok(output) => Ok(Output { usage, transcript, calls, ..output }),
            Err(failure) => Err(Failure { usage, transcript, ..failure }.with_calls(calls)),
        }
    }
}

/// What is asked for beside the conversation, as it is recorded.
fn parameters(request: &Request) -> Json {
    let mut all = Map::new();
    if let Some(max) = request.max_tokens {
        all.insert("max_tokens".to_owned(), max.into());
    }
    if let Some(temperature) = request.temperature {
        all.insert("temperature".to_owned(), temperature.into());
    }
    if let Some(schema) = &request.schema {
        all.insert("schema".to_owned(), schema.clone());
    }
    Json::from(&Value::from(all))
}

/// Why an answer is not of the shape that is wanted; none if it is, or if none is. Where another agent goes on there is no
/// output yet.
fn misfit(schema: Option<&Value>, output: &Result<Output, Failure>) -> Option<String> {
    let schema = schema?;
    match output {
        Err(failure) => Some(failure.message.clone()),
        Ok(output) if output.requests.iter().any(|request| matches!(request, AgentRequest::Handoff(_))) => {
            None
        }
        Ok(output) => {
            let declared = answer::declared(Some(schema), output.output.clone());
            declared.and_then(|json| output::check(schema, &json)).err()
        }
    }
}

/// The log of an attempt, into which the answer goes as it comes.
struct Log<'a> {
    tap: Tap,
    masks: &'a Masks,
    masked: stream::Stream,
}

impl<'a> Log<'a> {
    fn new(tap: Tap, masks: &'a Masks) -> Self {
        Self { tap, masks, masked: stream::Stream::default() }
    }

    fn say(&mut self, bytes: &[u8]) {
        let mut out = Vec::with_capacity(bytes.len());
        self.masked.push(self.masks, bytes, &mut out);
        if !out.is_empty() {
            self.tap.say(Stream::Stdout, &out);
        }
    }

    async fn end(mut self, said: &Transcript, result: &Result<Output, Failure>) {
        let mut out = Vec::new();
        self.masked.end(self.masks, &mut out);
        if !out.is_empty() {
            self.tap.say(Stream::Stdout, &out);
        }
        self.tap.hurry();
        self.tap.end(said.ended_at, ended(said, result), None).await;
    }
}
