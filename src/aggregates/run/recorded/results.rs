//! What came of attempts, as it is recorded: under schema 2 where they called models, or where whoever failed says how long
//! nobody is to try again.

use std::time::Duration;

use super::*;
use crate::events::codec::CodecError;
use crate::events::decision::Form;
use crate::events::run::ModelCalled;
use crate::events::time::micros;
use crate::kernel::Recording;
use crate::workflow::work::{CalledBy, Failure, ModelCall, OfCalls, Output};

/// The schema number of attempts with calls.
const WITH_CALLS: u16 = 2;

/// `attempt_completed` at schema 2.
#[derive(Serialize, Deserialize)]
struct CompletedWithCalls {
    completed: Completed,
    /// None if the events say them.
    calls: Option<Vec<ModelCalled>>,
}

/// `attempt_failed` at schema 2.
#[derive(Serialize, Deserialize)]
struct FailedWithCalls {
    failed: Failed,
    /// None if the events say them.
    calls: Option<Vec<ModelCalled>>,
    retry_after_us: Option<u64>,
}

pub(super) fn completed(
    (step, fence): (StepId, Fence),
    mut output: Output,
    to: &mut Recording<'_, '_, Run>,
) -> Result<Form, CodecError> {
    let calls = std::mem::take(&mut output.calls);
    if calls.is_empty() {
        let payload = codec::to_bytes(&said_of(step, fence, output, to))?;
        return Ok(Form { schema: SCHEMA, payload });
    }
    let calls = untold(&step, calls, to);
    let completed = said_of(step, fence, output, to);
    let payload = codec::to_bytes(&CompletedWithCalls { completed, calls })?;
    Ok(Form { schema: WITH_CALLS, payload })
}

pub(super) fn failed(
    (step, fence): (StepId, Fence),
    mut failure: Failure,
    to: &mut Recording<'_, '_, Run>,
) -> Result<Form, CodecError> {
    let OfCalls { calls, retry_after } =
        failure.of_calls.take().map(|of_calls| *of_calls).unwrap_or_default();
    if calls.is_empty() && retry_after.is_none() {
        let payload = codec::to_bytes(&said_of_failure(step, fence, failure, to))?;
        return Ok(Form { schema: SCHEMA, payload });
    }
    let calls = untold(&step, calls, to);
    let failed = said_of_failure(step, fence, failure, to);
    let retry_after_us = retry_after.map(micros);
    let payload = codec::to_bytes(&FailedWithCalls { failed, calls, retry_after_us })?;
    Ok(Form { schema: WITH_CALLS, payload })
}

/// The calls, unless the events of the decision say them: then they say them all, as they are of one attempt.
fn untold(step: &StepId, calls: Vec<ModelCall>, to: &mut Recording<'_, '_, Run>) -> Option<Vec<ModelCalled>> {
    let is_told = to.events().iter().any(|event| matches!(event, RunEvent::ModelCalled(_)));
    // Of which attempt it is, the result that is taken says.
    let by: CalledBy<'_> = (crate::events::run::Purpose::Do, step, 0);
    let recorded = |call: ModelCall| call.recorded(by, |json| to.payload(json));
    (!is_told).then(|| calls.into_iter().map(recorded).collect())
}

pub(super) fn recall_completed(schema: u16, from: &Source<'_>) -> Result<Ask, NotRecalled> {
    if schema == SCHEMA {
        return recall_said(read(from)?, from);
    }
    let CompletedWithCalls { completed, calls } = read(from)?;
    let mut ask = recall_said(completed, from)?;
    if let Ask::Completed { output, .. } = &mut ask {
        output.calls = recalled(calls.as_deref(), from)?;
    }
    Ok(ask)
}

pub(super) fn recall_failed(schema: u16, from: &Source<'_>) -> Result<Ask, NotRecalled> {
    if schema == SCHEMA {
        return recall_said_of_failure(read(from)?, from);
    }
    let FailedWithCalls { failed, calls, retry_after_us } = read(from)?;
    let mut ask = recall_said_of_failure(failed, from)?;
    if let Ask::Failed { failure, .. } = &mut ask {
        let (calls, retry_after) =
            (recalled(calls.as_deref(), from)?, retry_after_us.map(Duration::from_micros));
        failure.of_calls = Some(Box::new(OfCalls { calls, retry_after }));
    }
    Ok(ask)
}

fn recalled(calls: Option<&[ModelCalled]>, from: &Source<'_>) -> Result<Vec<ModelCall>, NotRecalled> {
    let json = |payload: &Payload| Ok(from.blobs.json(payload)?);
    let again = |called| ModelCall::recall(called, json);
    match calls {
        Some(calls) => calls.iter().map(again).collect(),
        None => {
            let told = from.events.iter().filter_map(|event| match event {
                RunEvent::ModelCalled(called) => Some(called),
                _ => None,
            });
            told.map(again).collect()
        }
    }
}

fn said_of(step: StepId, fence: Fence, output: Output, to: &mut Recording<'_, '_, Run>) -> Completed {
    let Output { output, artifacts, usage, requests, transcript, child, .. } = output;
    let is_told = told(to.events()).is_some_and(|(of, said, files, used, transcribed)| {
        *of == step
            && to.is(said, &output)
            && *files == *artifacts
            && used == usage
            && is_same(transcribed, transcript.as_ref(), to)
    });
    let answer = (!is_told || !requests.is_empty()).then(|| Produced {
        step,
        output: to.payload(output),
        artifacts,
        usage,
        requests: requests.into_iter().map(|request| wanted(request, to)).collect(),
        transcript: transcript.map(|said| to.payload(said)),
    });
    Completed { fence, child: child.map(ChildSeen::from), answer }
}

fn is_same(payload: Option<&Payload>, json: Option<&Json>, to: &Recording<'_, '_, Run>) -> bool {
    match (payload, json) {
        (Some(payload), Some(json)) => to.is(payload, json),
        (payload, json) => payload.is_none() && json.is_none(),
    }
}

fn said_of_failure(step: StepId, fence: Fence, failure: Failure, to: &mut Recording<'_, '_, Run>) -> Failed {
    let Failure { code, class, message, outcome, exit_code, usage, transcript, child, .. } = failure;
    let told = to.events().iter().find_map(|event| match event {
        RunEvent::AttemptFailed(told) => Some(told),
        _ => None,
    });
    let is_told = told.is_some_and(|told| {
        told.step == step
            && told.code == code
            && told.message == message
            && told.outcome == outcome
            && told.usage == usage
            && is_same(told.transcript.as_ref(), transcript.as_ref(), to)
    });
    let why = (!is_told).then(|| Why {
        step,
        code,
        message: words(&message, to),
        outcome,
        usage,
        transcript: transcript.map(|said| to.payload(said)),
    });
    Failed { fence, child: child.map(ChildSeen::from), exit_code, class, why }
}

fn recall_said(recorded: Completed, from: &Source<'_>) -> Result<Ask, NotRecalled> {
    let Completed { fence, child, answer } = recorded;
    let child = child.map(|child| child.recall(from)).transpose()?;
    let json = |payload: &Payload| from.blobs.json(payload);
    if let Some(answer) = answer {
        let Produced { step, output, artifacts, usage, requests, transcript } = answer;
        let requests = requests.into_iter().map(|wanted| wanted.recall(from));
        let (output, requests) = (json(&output)?, requests.collect::<Result<_, _>>()?);
        let transcript = transcript.as_ref().map(json).transpose()?;
        let output = Output { output, artifacts, usage, requests, transcript, child, ..Output::default() };
        return Ok(Ask::Completed { step, fence, output });
    }
    let told = told(from.events).ok_or_else(|| from.broken("no event says what the attempt answered"))?;
    let (step, output, artifacts, usage, transcript) = told;
    let (output, artifacts) = (json(output)?, artifacts.to_vec());
    let transcript = transcript.map(json).transpose()?;
    let output = Output { output, artifacts, usage, transcript, child, ..Output::default() };
    Ok(Ask::Completed { step: step.clone(), fence, output })
}

fn recall_said_of_failure(recorded: Failed, from: &Source<'_>) -> Result<Ask, NotRecalled> {
    let Failed { fence, child, exit_code, class, why } = recorded;
    let child = child.map(|child| child.recall(from)).transpose()?;
    let (step, code, message, outcome, usage, transcript) = match why {
        Some(Why { step, code, message, outcome, usage, transcript }) => {
            (step, code, text(&message, from)?, outcome, usage, transcript)
        }
        None => {
            let told = from.events.iter().find_map(|event| match event {
                RunEvent::AttemptFailed(told) => Some(told.clone()),
                _ => None,
            });
            let told = told.ok_or_else(|| from.broken("no event says how the attempt failed"))?;
            (told.step, told.code, told.message, told.outcome, told.usage, told.transcript)
        }
    };
    let transcript = transcript.map(|said| from.blobs.json(&said)).transpose()?;
    let failure =
        Failure { class, outcome, exit_code, usage, transcript, child, ..Failure::new(code, message) };
    Ok(Ask::Failed { step, fence, failure })
}
