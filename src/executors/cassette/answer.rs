//! What came of an attempt, as a cassette holds it.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::layout::indented;
use super::portable::Portable;
use super::request::Request;
use crate::events::json::Json;
use crate::events::problem::{Class, Code};
use crate::events::run::{Outcome, Usage};
use crate::events::time::micros;
use crate::executors::mask::Masks;
use crate::executors::{Failure, Output, Stop, Task};
use crate::workflow::work::ModelCall;

/// Which attempt it was, or is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(super) struct Place {
    pub(super) step: String,
    /// The step of another run whose child the run is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) within: Option<String>,
    pub(super) generation: u32,
    /// Without those that a dead process took with it.
    pub(super) attempt: u32,
}

impl Place {
    pub(super) fn of(task: &Task) -> Self {
        let within = task.within.as_ref().map(ToString::to_string);
        Self { step: task.step.to_string(), within, generation: task.generation, attempt: task.nth }
    }

    /// Whether both are attempts at one step.
    pub(super) fn is_of_step(&self, other: &Self) -> bool {
        self.step == other.step && self.within == other.within
    }
}

/// One attempt, as it stands in a cassette.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    #[serde(rename = "at")]
    pub(super) place: Place,
    request: Verbatim,
    /// The messages that it sent while it went on, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    said: Vec<Json>,
    answer: Answered,
    /// The output as it was written, where that has several lines: a text that it stands in later says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    written: Option<String>,
}

/// JSON that keeps its lines, where all other JSON is put on one.
#[derive(Debug, Clone, Deserialize)]
#[serde(transparent)]
struct Verbatim(Json);

impl Serialize for Verbatim {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(self.0.text()).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl Entry {
    pub(super) fn new(place: Place, request: Request, said: Vec<Json>, answer: Answered) -> Self {
        let written = match &answer {
            Answered::Output(output) => Some(output.output.text()).filter(|text| text.contains(['\n', '\r'])),
            Answered::Failure(_) => None,
        };
        let written = written.map(str::to_owned);
        Self { place, request: Verbatim(request.json), said, answer, written }
    }

    /// Its text in a cassette.
    ///
    /// # Errors
    /// When secrets cannot be kept out of it.
    pub(super) fn text(&self, portable: &Portable, masks: &Masks) -> Result<String, Failure> {
        // The request is compared without white space; what was answered is given as it was written.
        let request = Json::parse(&indented(self.request.0.text()).replace('\n', "\n  ")).map(Verbatim);
        let pretty =
            request.and_then(|request| serde_json::to_string_pretty(&Self { request, ..self.clone() }));
        let json = pretty.and_then(|pretty| Json::parse(&pretty));
        let json = json.map_err(|error| Failure::new(Code::Internal, error.to_string()))?;
        Ok(portable.stored(masks.json(&json)?.text()))
    }
}

/// An attempt that a cassette holds, as its text.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) place: Place,
    pub(super) request: Request,
    text: String,
}

impl Kept {
    /// Reads one.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn read(json: &str) -> Result<Self, serde_json::Error> {
        let entry: Entry = serde_json::from_str(json)?;
        Ok(Self { place: entry.place, request: Request::read(entry.request.0.text()), text: json.to_owned() })
    }

    /// What it answers, to who asks now, and what is said before that.
    ///
    /// # Errors
    /// When with the folder and the ids of now it is none any more.
    pub(super) fn answer(&self, portable: &Portable) -> Result<(Vec<Json>, Answered), serde_json::Error> {
        let entry: Entry = serde_json::from_str(&portable.restored(&self.text))?;
        let mut answer = entry.answer;
        if let (Answered::Output(output), Some(written)) = (&mut answer, &entry.written) {
            output.output = Json::parse(written)?;
        }
        Ok((entry.said, answer))
    }
}

/// What came of an attempt.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Answered {
    Output(Box<Output>),
    Failure(Box<Failed>),
}

/// Why an attempt did not succeed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Failed {
    code: Code,
    class: Class,
    message: String,
    outcome: Outcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    usage: Usage,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    transcript: Option<Json>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    calls: Vec<ModelCall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after_us: Option<u64>,
}

impl Answered {
    /// What came of it; none if it did not come to anything: somebody stopped it, and not for its time.
    pub(super) fn of(result: &Result<Output, Failure>) -> Option<Self> {
        match result {
            Ok(output) => Some(Self::Output(Box::new(output.clone()))),
            Err(failure) => {
                let stops = [Stop::Cancelled, Stop::LetGo, Stop::LockLost];
                let is_stopped = stops.iter().any(|why| Failure::stopped(*why).code == failure.code);
                (!is_stopped).then(|| Self::Failure(Box::new(Failed::of(failure))))
            }
        }
    }

    pub(super) fn result(self) -> Result<Output, Failure> {
        match self {
            Self::Output(output) => Ok(*output),
            Self::Failure(failed) => Err(failed.failure()),
        }
    }
}

impl Failed {
    fn of(failure: &Failure) -> Self {
        let Failure { code, class, message, outcome, exit_code, usage, transcript, .. } = failure.clone();
        let (calls, retry_after_us) = (failure.calls().to_vec(), failure.retry_after().map(micros));
        Self { code, class, message, outcome, exit_code, usage, transcript, calls, retry_after_us }
    }

    fn failure(self) -> Failure {
        let Self { code, class, message, outcome, exit_code, usage, transcript, calls, retry_after_us } =
            self;
        let failure = Failure { class, outcome, exit_code, usage, transcript, ..Failure::new(code, message) };
        failure.with_calls(calls).with_retry_after(retry_after_us.map(Duration::from_micros))
    }
}

/// The first document of a cassette.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    /// The version of the format.
    #[serde(rename = "cassette")]
    pub(super) version: u32,
    /// The run that was recorded.
    pub(super) run: Arc<str>,
}
