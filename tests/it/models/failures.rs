//! What goes wrong with a call: each has its class and its code, is recorded with what came, and its step decides what follows.

use std::time::Duration;

use serde_json::{Value, json};

use super::{KINDS, Machine, ONE};
use crate::support::provider::{Does, USUAL};
use crate::support::wait_until;

/// Bounds that a test can wait for.
const SHORT: &str = "[llm]\nfirst = '400ms'\nidle = '400ms'\ntotal = '20s'\nanswer_max = '1MiB'\n";

/// The error of the one step, where that is done with.
fn error(machine: &Machine, does: Does) -> Value {
    machine.provider.then([does]);
    let report = machine.one(1, &[]);
    assert_eq!(machine.provider.calls(), 1, "one attempt is one call");
    report["error"].clone()
}

fn is(error: &Value, code: &str, class: &str) -> bool {
    error["code"] == code && error["class"] == class
}

/// Whether it is known what the first attempt did.
fn outcome(machine: &Machine) -> Value {
    machine.sandbox.events("r", "attempt_failed")[0]["data"]["outcome"].clone()
}

#[test]
fn each_refusal_asks_for_what_it_means() {
    for kind in KINDS {
        for (status, what, code, class) in [
            (400, "invalid_request_error", "RE-2111", "validation"),
            (404, "not_found_error", "RE-2111", "validation"),
            (422, "invalid_request_error", "RE-2111", "validation"),
            (401, "authentication_error", "RE-2112", "fatal"),
            (403, "permission_error", "RE-2112", "fatal"),
            (429, "rate_limit_error", "RE-2113", "transient"),
            (500, "api_error", "RE-2114", "transient"),
            (529, "overloaded_error", "RE-2114", "transient"),
            (400, "context_length_exceeded", "RE-2121", "validation"),
        ] {
            let machine = Machine::new(kind);
            let error = error(&machine, Does::refuses(status, what, "It does not like that."));
            assert!(is(&error, code, class), "{kind} {status}: {error}");
            assert!(error["message"].as_str().unwrap().contains("It does not like that."), "{error}");
            assert_eq!(outcome(&machine), "known", "{kind} {status}");
            // A call that was refused is a call all the same.
            let [call] = machine.calls("r").try_into().unwrap();
            assert_eq!((&call["error"], &call["answer"]), (&json!(code), &Value::Null), "{kind} {status}");
        }
    }
}

#[test]
fn what_is_no_answer_is_a_failure_with_a_code_and_whether_it_may_be_paid_for() {
    for kind in KINDS {
        for (does, code, class, known) in [
            (Does::HangsBefore, "RE-2116", "transient", "unknown"),
            (Does::HangsWithin("It was a dark"), "RE-2116", "transient", "unknown"),
            (Does::ClosesWithin("It was a dark"), "RE-2117", "transient", "unknown"),
            (Does::Garbage, "RE-2118", "unknown", "known"),
            (Does::Html, "RE-2118", "unknown", "known"),
            (Does::Floods, "RE-2119", "validation", "known"),
            (Does::FailsWithin("It was", "overloaded_error"), "RE-2114", "transient", "known"),
            (Does::CutsShort("It was a"), "RE-2122", "validation", "known"),
            (Does::wants_tool("delete_everything", json!({"path": "/"})), "RE-2124", "validation", "known"),
        ] {
            let machine = Machine::with(kind, SHORT);
            let shown = format!("{kind} {does:?}");
            let error = error(&machine, does);
            assert!(is(&error, code, class), "{shown}: {error}");
            assert_eq!(outcome(&machine), known, "{shown}");
            assert_eq!(machine.calls("r").len(), 1, "{shown}");
        }
    }
}

#[test]
fn a_provider_that_cannot_be_reached_was_not_called() {
    let machine = Machine::new("openai");
    let configuration = machine.provider.configuration("openai");
    let nobody = configuration.replace(&machine.provider.url("openai"), "http://127.0.0.1:9/v1");
    machine.sandbox.configure(&nobody);
    let report = machine.one(1, &[]);
    assert!(is(&report["error"], "RE-2115", "transient"), "{report}");
    assert_eq!((report["usage"]["calls"].clone(), outcome(&machine)), (0.into(), "known".into()));
}

#[test]
fn an_answer_that_comes_slowly_is_waited_for_as_long_as_something_comes() {
    for kind in KINDS {
        let machine = Machine::with(kind, SHORT);
        machine
            .provider
            .then([Does::SaysSlowly("It was a dark and stormy night".to_owned(), Duration::from_millis(60))]);
        let report = machine.one(0, &[]);
        assert_eq!(report["steps"][0]["output"]["stdout"], "It was a dark and stormy night", "{kind}");
        let call = &machine.calls("r")[0];
        assert!(call["latency_us"].as_u64().unwrap() > 450_000, "longer than any one bound: {call}");
    }
}

/// The time for which the next attempt was put off, in ms.
fn delay(machine: &Machine) -> i64 {
    let at = |event: &Value, what: &str| {
        let moment = event.pointer(what).and_then(Value::as_str).unwrap();
        moment.parse::<jiff_like::Moment>().unwrap().0
    };
    let scheduled = &machine.sandbox.events("r", "retry_scheduled")[0];
    at(scheduled, "/data/at") - at(scheduled, "/at")
}

/// As much of a moment as is needed to tell how far two are apart: those of one test are of one day, or of two.
mod jiff_like {
    pub(super) struct Moment(pub(super) i64);

    impl std::str::FromStr for Moment {
        type Err = std::num::ParseIntError;

        fn from_str(text: &str) -> Result<Self, Self::Err> {
            let number = |from: usize, to: usize| text[from..to].parse::<i64>();
            let millis = number(20, 23)?;
            let of_day = number(11, 13)? * 3_600 + number(14, 16)? * 60 + number(17, 19)?;
            Ok(Self((number(8, 10)? * 86_400 + of_day) * 1_000 + millis))
        }
    }
}

#[test]
fn a_provider_says_how_long_to_wait_and_that_is_the_wait_of_the_retry() {
    for kind in KINDS {
        for status in [429, 503] {
            let machine = Machine::new(kind);
            machine.sandbox.write(
                "one.yaml",
                ONE.replace("prompt:", "retry: {attempts: 2, initial: 1h, max: 1h}, prompt:"),
            );
            machine.provider.then([Does::busy(status, "1")]);
            // The policy says an hour, the provider a second.
            let report = machine.one(0, &[]);
            assert_eq!(report["steps"][0]["output"]["stdout"], USUAL);
            assert!((990..=1_010).contains(&delay(&machine)), "{kind} {status}: {} ms", delay(&machine));
            assert_eq!((report["steps"][0]["attempts"].clone(), machine.provider.calls()), (2.into(), 2));
            assert_eq!(report["usage"]["calls"], 2, "both calls count");
        }
    }
}

#[test]
fn a_failed_call_is_tried_again_by_the_policy_of_its_step_and_falls_back() {
    let machine = Machine::new("anthropic");
    machine.sandbox.write(
        "agents/other.md",
        "---\nname: other\ndescription: Stands in\nexecutor: scripted\nscript: a.yaml\n---\n",
    );
    machine.sandbox.write("agents/a.yaml", "- output: {from: other}\n");
    let with = "retry: {attempts: 2, initial: 1ms}, fallback: {agent: other}, prompt:";
    machine.sandbox.write("one.yaml", ONE.replace("prompt:", with));
    machine.provider.then([Does::refuses(500, "api_error", "no"), Does::refuses(500, "api_error", "no")]);
    let report = machine.one(0, &[]);
    assert_eq!(
        (report["steps"][0]["output"].clone(), machine.provider.calls()),
        (json!({"from": "other"}), 2)
    );
    assert_eq!(report["degraded"], true);
    // A refusal that trying again cannot mend is not tried again.
    let machine = Machine::new("anthropic");
    machine.sandbox.write("one.yaml", ONE.replace("prompt:", "retry: {attempts: 5, initial: 1ms}, prompt:"));
    machine.provider.then([Does::refuses(400, "invalid_request_error", "no")]);
    machine.one(1, &[]);
    assert_eq!(machine.provider.calls(), 1);
}

#[test]
fn a_provider_that_fails_again_and_again_is_left_alone() {
    for kind in KINDS {
        let machine = Machine::with(kind, "[llm]\nbreaker_failures = 2\nbreaker_pause = '1h'\n");
        machine
            .sandbox
            .write("one.yaml", ONE.replace("prompt:", "retry: {attempts: 2, initial: 1ms}, prompt:"));
        machine.sandbox.write(
            "three.yaml",
            "name: three\non_failure: stop\nsteps:\n  - {id: a, agent: writer, prompt: Go, on_error: continue}\n  \
             - {id: b, agent: writer, prompt: Go, on_error: continue}\n  - {id: c, agent: writer, prompt: Go, on_error: continue}\n",
        );
        machine.provider.then(vec![Does::refuses(500, "api_error", "no"); 2]);
        let report = machine.run(0, &["three.yaml", "--id", "r"]);
        let codes: Vec<_> = (0..3).map(|step| report["steps"][step]["error"]["code"].clone()).collect();
        assert_eq!(codes, ["RE-2114", "RE-2114", "RE-2120"], "{kind}");
        assert_eq!(report["steps"][2]["error"]["class"], "transient");
        assert_eq!((machine.provider.calls(), report["usage"]["calls"].clone()), (2, 2.into()), "{kind}");
    }
}

#[test]
fn a_timeout_and_a_cancellation_close_the_connection() {
    for kind in KINDS {
        let machine = Machine::new(kind);
        machine.sandbox.write("one.yaml", ONE.replace("prompt:", "timeout: 300ms, prompt:"));
        machine.provider.then([Does::HangsWithin("It was")]);
        let report = machine.one(1, &[]);
        assert_eq!(
            (report["error"]["code"].clone(), outcome(&machine)),
            ("RE-3007".into(), "unknown".into())
        );
        wait_until("the connection is closed", || machine.provider.left() == 1);
        let [call] = machine.calls("r").try_into().unwrap();
        assert_eq!(call["error"], "RE-3007", "the call that was under way is recorded: {kind}");
        machine.sandbox.write("one.yaml", ONE);
        machine.provider.then([Does::HangsBefore]);
        let running =
            machine.sandbox.start(machine.command(&["run", "one.yaml", "--input", "topic=x", "--id", "c"]));
        wait_until("it is asked", || machine.provider.calls() == 2);
        assert_eq!(machine.reenact(&["cancel", "c"]).code(), Some(0));
        assert_eq!(running.wait().code(), Some(6), "{kind}");
        wait_until("that connection is closed, too", || machine.provider.left() == 2);
    }
}

/// Some providers refuse what is longer than the model can see, and others leave its beginning out and say nothing.
#[test]
fn what_a_model_cannot_see_whole_is_not_sent() {
    for kind in KINDS {
        let machine = Machine::with(kind, "");
        let text =
            machine.provider.configuration(kind).replace("id = 'small-1'", "id = 'small-1'\nwindow = 60");
        machine.sandbox.configure(&text);
        machine.one(0, &[]);
        machine.sandbox.write("one.yaml", ONE.replace("Write about", &"Write and write ".repeat(40)));
        let report = machine.run(1, &["one.yaml", "--input", "topic=tea", "--id", "q"]);
        let error = &report["error"];
        assert!(is(error, "RE-2121", "validation"), "{kind}: {error}");
        assert!(error["message"].as_str().unwrap().contains("and it sees 60"), "{error}");
        assert_eq!(machine.provider.calls(), 1, "{kind}");
        assert_eq!(report["usage"]["calls"], 0);
    }
}
