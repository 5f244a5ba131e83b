//! Why a call failed, and what that asks for.

use std::time::Duration;

use jiff::Timestamp as Moment;
use jiff::fmt::rfc2822;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;

use super::wire::Broken;
use crate::events::problem::{Class, Code};
use crate::events::run::Outcome;
use crate::executors::http;
use crate::workflow::work::Failure;

/// How long a provider may have nobody try again. Who says more most likely means another unit.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// The failure of a call that a provider answered with a status that is no success; `said` is the beginning of its answer.
pub(super) fn of_status(provider: &str, status: StatusCode, headers: &HeaderMap, said: &str) -> Failure {
    let code = match status.as_u16() {
        401..=403 => Code::ModelForbidden,
        408 => Code::ModelFailed,
        429 => Code::ModelBusy,
        500.. => Code::ModelFailed,
        _ if is_too_long(said) => Code::PromptTooLong,
        _ => Code::ModelRefused,
    };
    let message = format!("the provider `{provider}` answered {} {}", status.as_u16(), told(said));
    let retry_after = retry_after(headers).filter(|_| code.class() == Class::Transient);
    Failure::new(code, message.trim_end().to_owned()).with_retry_after(retry_after)
}

/// The failure of a call whose answer made no sense, or said in its middle that the provider failed.
pub(super) fn of_broken(provider: &str, broken: Broken) -> Failure {
    match broken {
        Broken::Garbage(shown) => {
            let message = format!(
                "what the provider `{provider}` answered is nothing of its format: `{}`",
                shown.escape_debug()
            );
            Failure::new(Code::ModelGarbage, message)
        }
        Broken::Failed { kind, message } => {
            let code = match kind.as_str() {
                "invalid_request_error" | "not_found_error" | "request_too_large"
                    if is_too_long(&message) =>
                {
                    Code::PromptTooLong
                }
                "invalid_request_error" | "not_found_error" | "request_too_large" => Code::ModelRefused,
                "authentication_error" | "permission_error" | "billing_error" => Code::ModelForbidden,
                "rate_limit_error" | "rate_limit_exceeded" => Code::ModelBusy,
                _ => Code::ModelFailed,
            };
            Failure::new(code, format!("the provider `{provider}` failed: {kind}: {message}"))
        }
    }
}

/// The failure of a call that did not get to its provider, or whose answer did not come back.
pub(super) fn of_error(provider: &str, error: reqwest::Error) -> Failure {
    if error.is_builder() {
        // It was never sent. An address may hold a secret, and so may a header.
        let message = format!("the provider `{provider}` cannot be asked: its address or its key is none");
        return Failure::new(Code::ModelForbidden, message);
    }
    let is_connect = error.is_connect();
    let cause = http::cause(&error.without_url());
    if is_connect {
        let message = format!("the provider `{provider}` cannot be reached: {cause}");
        return Failure::new(Code::ModelUnreachable, message);
    }
    lost(provider, &cause)
}

/// The failure of a call that was sent, and whose answer did not come to its end: nobody knows whether it is paid for.
pub(super) fn lost(provider: &str, why: &str) -> Failure {
    let message = format!("the answer of the provider `{provider}` broke off: {why}");
    Failure { outcome: Outcome::Unknown, ..Failure::new(Code::ModelAnswerLost, message) }
}

/// The failure of a call that took too long; `what` did not come, or end, in time.
pub(super) fn too_slow(provider: &str, what: &str, within: Duration) -> Failure {
    let message = format!("{what} of the provider `{provider}` within {} s", within.as_secs_f64());
    Failure { outcome: Outcome::Unknown, ..Failure::new(Code::ModelTooSlow, message) }
}

/// The failure of an answer that is longer than it may be.
pub(super) fn too_long(provider: &str, bytes_max: usize) -> Failure {
    let message = format!("the provider `{provider}` answered more than {bytes_max} bytes");
    Failure::new(Code::ModelAnswerTooLong, message)
}

/// The failure of a call that was not made, because the provider is left alone for so long.
pub(super) fn left_alone(provider: &str, wait: Duration) -> Failure {
    let message = format!("the provider `{provider}` failed again and again, and is left alone for a while");
    let retry_after = Some(wait).filter(|wait| !wait.is_zero());
    Failure::new(Code::ProviderLeftAlone, message).with_retry_after(retry_after)
}

/// What an answer says of itself, in a sentence: its `error`, if it has one, else its text.
fn told(said: &str) -> String {
    let parsed: Option<serde_json::Value> = serde_json::from_str(said).ok();
    let error = parsed.as_ref().and_then(|said| said.get("error"));
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    let message = error.and_then(|error| text(error).or_else(|| text(error.get("message")?)));
    let message = message.unwrap_or_else(|| said.split_whitespace().collect::<Vec<_>>().join(" "));
    if message.is_empty() { String::new() } else { format!("({message})") }
}

/// Whether a refusal means that the conversation is longer than the model can see.
fn is_too_long(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    ["context_length_exceeded", "prompt is too long", "maximum context length", "exceed_context_size_error"]
        .iter()
        .any(|sign| said.contains(sign))
}

/// How long nobody is to try again: in milliseconds, in seconds, or until a moment.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let seconds =
        |text: &str| text.parse::<f64>().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    let millis = text("retry-after-ms").and_then(seconds).map(|thousand| thousand / 1000);
    let wait = millis.or_else(|| {
        let said = text("retry-after")?;
        seconds(said).or_else(|| {
            let until = rfc2822::parse(said).ok()?.timestamp();
            // A moment that has passed is no wait.
            Some(Duration::try_from(until.duration_since(Moment::now())).unwrap_or_default())
        })
    });
    wait.map(|wait| wait.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_wait_is_said_in_seconds_in_milliseconds_or_as_a_moment() {
        let wait = |name: &'static str, value: &str| retry_after(&headers(&[(name, value)]));
        assert_eq!(wait("retry-after", "7"), Some(Duration::from_secs(7)));
        assert_eq!(wait("retry-after", " 0.5 "), Some(Duration::from_millis(500)));
        assert_eq!(wait("retry-after-ms", "250"), Some(Duration::from_millis(250)));
        assert_eq!(wait("retry-after", "Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::ZERO));
        assert_eq!(wait("retry-after", "Wed, 21 Oct 2099 07:28:00 GMT"), Some(RETRY_AFTER_MAX));
        assert_eq!(wait("retry-after", "99999999999"), Some(RETRY_AFTER_MAX));
        for none in ["soon", "-3", "NaN", ""] {
            assert_eq!(wait("retry-after", none), None, "{none}");
        }
    }

    #[test]
    fn a_status_says_what_the_failure_asks_for() {
        let failure = |status: u16, said: &str| {
            let headers = headers(&[("retry-after", "3")]);
            let failure = of_status("p", StatusCode::from_u16(status).unwrap(), &headers, said);
            (failure.code, failure.class, failure.retry_after().map(|wait| wait.as_secs()))
        };
        for status in [400, 404, 409, 413, 422, 302] {
            assert_eq!(failure(status, ""), (Code::ModelRefused, Class::Validation, None), "{status}");
        }
        for status in [401, 402, 403] {
            assert_eq!(failure(status, ""), (Code::ModelForbidden, Class::Fatal, None), "{status}");
        }
        assert_eq!(failure(429, ""), (Code::ModelBusy, Class::Transient, Some(3)));
        for status in [408, 500, 502, 503, 529] {
            assert_eq!(failure(status, ""), (Code::ModelFailed, Class::Transient, Some(3)), "{status}");
        }
        let long = r#"{"error":{"code":"context_length_exceeded","message":"too long"}}"#;
        assert_eq!(failure(400, long), (Code::PromptTooLong, Class::Validation, None));
    }

    #[test]
    fn what_a_provider_says_of_a_failure_is_told() {
        let message = |said: &str| of_status("p", StatusCode::BAD_REQUEST, &HeaderMap::new(), said).message;
        assert_eq!(
            message(r#"{"error":{"message":"no such model"}}"#),
            "the provider `p` answered 400 (no such model)"
        );
        assert_eq!(message(r#"{"error":"no"}"#), "the provider `p` answered 400 (no)");
        assert_eq!(message("<html>\n  <b>no</b>"), "the provider `p` answered 400 (<html> <b>no</b>)");
        assert_eq!(message(""), "the provider `p` answered 400");
    }
}
