//! Histories that follow from a seed, each with a cause that was planted in it: the chain comes to that.

use std::collections::BTreeSet;
use std::sync::Arc;

use reenact::aggregates::run::{Ask, Order, RunStatus};
use reenact::events::codec::Encoded;
use reenact::events::ids::{Fence, RunId, StepId, Version};
use reenact::events::json::Json;
use reenact::events::problem::{Class, Code};
use reenact::events::run::{ApprovalRequested, Purpose, RunEvent};
use reenact::events::time::Timestamp;
use reenact::testing::Dice;
use reenact::testing::simulation::{Move, Simulation, start_of};
use reenact::testing::world::{Failure, Output, Reply, Stop, Task, World, answer};
use reenact::views::presenters::why::{Cause, LINKS_MAX, Past, Seen, Walk};
use reenact::workflow::parse::{Known, parse};
use serde_json::json;

/// What goes wrong, at a step that the seed chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Planted {
    Fails,
    FailsAfterOthers,
    TimesOut,
    IsLost,
    IsRefused,
    IsMissed,
    AnswersBadly,
    IsEditedBadly,
    IsSignalledBadly,
    FallsBackInVain,
    IsLeftOut,
    FailsFast,
    CannotBeUndone,
    TakesTooLong,
    IsCancelled,
}

const ALL: [Planted; 15] = [
    Planted::Fails,
    Planted::FailsAfterOthers,
    Planted::TimesOut,
    Planted::IsLost,
    Planted::IsRefused,
    Planted::IsMissed,
    Planted::AnswersBadly,
    Planted::IsEditedBadly,
    Planted::IsSignalledBadly,
    Planted::FallsBackInVain,
    Planted::IsLeftOut,
    Planted::FailsFast,
    Planted::CannotBeUndone,
    Planted::TakesTooLong,
    Planted::IsCancelled,
];

/// How many histories there are of each.
const SEEDS: u64 = 8;

/// How many attempts fail before the one that counts, where some do.
const BEFORE: u32 = 2;

/// How many steps there are beside those of the cause.
const OTHERS_MAX: usize = 5;

#[derive(Clone)]
struct Story {
    planted: Planted,
    seed: u64,
    /// How many steps there are before the planted one.
    before: usize,
    /// Whether that one uses what another answered.
    uses: bool,
}

impl Story {
    fn of(planted: Planted, seed: u64) -> Self {
        let mut dice = Dice::of(seed ^ 0x5eed);
        Self { planted, seed, before: 1 + dice.below(OTHERS_MAX), uses: dice.one_in(2) }
    }

    /// Steps before `p` that use each other, `p` itself, `q` beside it, `c` that uses `p`, and `z` after all.
    fn yaml(&self) -> String {
        let mut dice = Dice::of(self.seed);
        let mut file = String::from("name: planted\nlimits: {lost: 3, parallel: 16");
        file.push_str(if self.planted == Planted::TakesTooLong { ", duration: 20s}\n" } else { "}\n" });
        if self.planted != Planted::CannotBeUndone {
            file.push_str("on_failure: stop\n");
        }
        file.push_str("steps:\n");
        let retry = r#""retry":{"policy":"fixed","initial":"1s","jitter":0,"attempts":3}"#;
        for place in 0..self.before {
            let needs: Vec<String> =
                (0..place).filter(|_| dice.one_in(2)).map(|need| format!("s{need}")).collect();
            let used =
                needs.last().map(|need| format!(r#","with":{{"got":"{{{{ steps.{need}.output }}}}"}}"#));
            let used = used.unwrap_or_default();
            file.push_str(&format!(
                "  - {{\"id\":\"s{place}\",\"agent\":\"world\",\"needs\":{needs:?},{retry}{used}}}\n"
            ));
        }
        let last = self.before - 1;
        let with = if self.uses { format!(r#""{{{{ steps.s{last}.output }}}}""#) } else { "1".to_owned() };
        let does = match self.planted {
            Planted::IsMissed => r#""wait_for":"go","timeout":"4s""#.to_owned(),
            Planted::IsSignalledBadly => r#""wait_for":"go""#.to_owned(),
            Planted::Fails | Planted::FailsFast | Planted::TakesTooLong => {
                format!(r#""agent":"world","with":{{"got":{with}}}"#)
            }
            _ => format!(r#""agent":"world","with":{{"got":{with}}},{retry}"#),
        };
        let more = match self.planted {
            Planted::IsRefused | Planted::IsEditedBadly => r#","approve":"before""#,
            Planted::FallsBackInVain => r#","fallback":{"agent":"other"}"#,
            Planted::IsLeftOut => r#","on_error":"retry_then_skip""#,
            Planted::FailsFast => r#","on_error":"fail_fast""#,
            Planted::TimesOut => r#","timeout":"2s""#,
            Planted::CannotBeUndone => {
                r#","compensate":{"agent":"world","retry":{"policy":"fixed","initial":"1s","jitter":0,"attempts":2}}"#
            }
            _ => "",
        };
        file.push_str(&format!("  - {{\"id\":\"p\",\"needs\":[\"s{last}\"],{does}{more}}}\n"));
        file.push_str(&format!("  - {{\"id\":\"q\",\"needs\":[\"s{last}\"],\"agent\":\"world\"}}\n"));
        file.push_str("  - {id: c, needs: [p], agent: world, with: {got: \"{{ steps.p.output }}\"}}\n");
        file.push_str("  - {id: z, needs: [q, c], agent: world}\noutput: {c: \"{{ steps.c.output }}\"}\n");
        file
    }
}

/// What another step of the run is when it is asked why: mostly the run is.
fn asked_about(planted: Planted) -> Option<&'static str> {
    match planted {
        Planted::FailsFast | Planted::TakesTooLong | Planted::IsCancelled => Some("q"),
        _ => None,
    }
}

impl World for Story {
    fn attempt(&mut self, task: &Task) -> Result<Output, Failure> {
        let fails = |class| Err(Failure::new(Code::ExitUnknown, "planted").class(class));
        let bad = json!("bad");
        let got = task.work.with.value();
        match (task.step.as_str(), self.planted, task.purpose) {
            ("p", Planted::CannotBeUndone, Purpose::Compensate) => fails(Class::Unknown),
            ("z", Planted::CannotBeUndone, _) => fails(Class::Validation),
            (_, _, Purpose::Compensate) => Ok(answer(&true)),
            ("p", Planted::Fails | Planted::FailsFast, _) => fails(Class::Validation),
            ("p", Planted::FallsBackInVain, _) => fails(Class::Validation),
            ("p", Planted::FailsAfterOthers | Planted::IsLeftOut, _) => match task.attempt <= BEFORE {
                true => fails(Class::Transient),
                false => fails(Class::Validation),
            },
            ("p", Planted::TimesOut, _) => Err(Failure::stopped(Stop::TimedOut)),
            ("p", Planted::AnswersBadly, _) => Ok(answer(&bad)),
            ("p", _, _) if got["got"] == bad => fails(Class::Validation),
            ("c", _, _) if got["got"] == bad => fails(Class::Validation),
            // A noise that comes to nothing.
            (step, _, _) if step.starts_with('s') && task.attempt == 1 && self.seed.is_multiple_of(3) => {
                fails(Class::Transient)
            }
            _ => Ok(answer(&json!({ "of": task.step, "filler": "x".repeat(self.seed as usize * 100) }))),
        }
    }

    fn reply(&self, asked: &ApprovalRequested, _: &[Arc<str>]) -> Option<Reply> {
        let by = "eve".into();
        match (asked.step.as_str(), self.planted) {
            ("p", Planted::IsRefused) => Some(Reply::Refuse { by, reason: "planted".to_owned() }),
            ("p", Planted::IsEditedBadly) => {
                let edits = Json::of(&json!({ "got": "bad" })).ok();
                Some(Reply::Grant { by, edits })
            }
            _ => Some(Reply::Grant { by, edits: None }),
        }
    }

    fn signal(&self, _: &str) -> Option<Json> {
        (self.planted == Planted::IsSignalledBadly).then(|| Json::of(&json!("bad")).unwrap())
    }
}

/// Plays the story to its end.
fn played(story: &Story) -> Simulation<Story> {
    let parsed = parse(&story.yaml(), "w.yaml", &Known { fallback_attempts: 2, ..Known::default() });
    let parsed = parsed.unwrap_or_else(|problems| panic!("{problems:?}\n{}", story.yaml()));
    let start = start_of(parsed.definition, Json::of(&json!({})).unwrap());
    let run = RunId::parse("r").unwrap();
    let mut run = Simulation::start(run, start, story.clone(), story.seed).unwrap();
    let fence = |run: &Simulation<Story>, step: &str| -> Option<Fence> {
        run.in_flight().find(|(began, _)| began.step.as_str() == step).map(|(began, _)| began.fence)
    };
    let hangs = |next: &Move, run: &Simulation<Story>| {
        let held: &[&str] = match story.planted {
            Planted::IsLost => &["p"],
            Planted::FailsFast => &["q"],
            Planted::TakesTooLong | Planted::IsCancelled => &["p", "q"],
            _ => &[],
        };
        held.iter().any(|step| fence(run, step).is_some_and(|fence| *next == Move::Perform(fence)))
    };
    for _ in 0..10_000 {
        let began = fence(&run, "p").is_some();
        if story.planted == Planted::IsLost && began {
            run = run.crash().unwrap();
            continue;
        }
        if story.planted == Planted::IsCancelled && began && fence(&run, "q").is_some() && run.is_driven() {
            let order = Order { by: "eve".into(), reason: Some("planted".to_owned()) };
            if run.status() == RunStatus::Running
                && run.history().iter().all(|event| event.kind() != "cancel_requested")
            {
                run.ask(Ask::Cancel { order, rollback: false }).unwrap().unwrap();
                continue;
            }
        }
        let Some(next) = run.moves().into_iter().find(|next| !hangs(next, &run)) else { break };
        run.play(&next).unwrap();
    }
    assert!(
        run.status().has_ended(),
        "{:?} of seed {} is {}",
        story.planted,
        story.seed,
        run.status().text()
    );
    run
}

/// The chain, found in the history of a run that stands alone.
fn why(run: &Simulation<Story>, step: Option<&str>) -> Vec<Cause> {
    let (id, blobs) = (RunId::parse("r").unwrap(), run.blobs());
    let past = Past::new(run.state(), run.definition(), &*blobs);
    let mut walk = Walk::new(&id, past, step.map(StepId::grown).as_ref(), LINKS_MAX);
    let history = run.history();
    for (place, event) in history.iter().enumerate().rev() {
        if walk.is_over() {
            break;
        }
        if !walk.could_be(event.kind(), |_| true) {
            continue;
        }
        assert_eq!(walk.see(Version(place as u64 + 1), Timestamp(0), event), Seen::On);
    }
    if walk.wants_start() {
        walk.see(Version(1), Timestamp(0), &history[0]);
    }
    walk.chain()
}

/// Each link is an event of the history, and further back than the one before it.
fn check_links(chain: &[Cause], history: &[Arc<RunEvent>]) {
    assert!(!chain.is_empty());
    let known: BTreeSet<&str> = RunEvent::TABLE.iter().map(|(kind, _)| *kind).collect();
    for pair in chain.windows(2) {
        assert!(pair[0].version > pair[1].version, "{chain:#?}");
    }
    for Cause { run, version, kind, step, says } in chain {
        assert_eq!(run.as_str(), "r");
        let event = &history[version.0 as usize - 1];
        assert_eq!(event.kind(), kind);
        assert!(
            known.contains(kind.as_str()) && !says.is_empty() && says != "something happened",
            "{kind}: {says}"
        );
        let data = serde_json::to_value(&**event).unwrap();
        if let Some(named) = data["step"].as_str() {
            assert!(step.as_ref().is_none_or(|step| step.as_str() == named), "{kind}: {says}");
        }
    }
}

/// What of the chain names the cause: the types of events about `p`, or about nobody, and the last attempt at `p`.
fn expected(planted: Planted) -> &'static [(&'static str, &'static str)] {
    match planted {
        Planted::Fails => &[("attempt_failed", "attempt 1 at `p` failed"), ("attempt_started", "`p`")],
        Planted::FailsAfterOthers => &[
            ("attempt_failed", "attempt 3 at `p` failed"),
            ("attempt_failed", "attempt 2 at `p` failed, RE-3005: planted (before it 1 another"),
        ],
        Planted::TimesOut => &[("attempt_failed", "attempt 3 at `p` failed, RE-3007")],
        Planted::IsLost => &[("attempt_lost", "attempt 3 at `p` was lost")],
        Planted::IsRefused => {
            &[("approval_refused", "eve refused `p`: planted"), ("approval_requested", "`p`")]
        }
        Planted::IsMissed => &[("step_failed", "`p` failed"), ("signal_awaited", "`p` waits")],
        Planted::AnswersBadly => &[("attempt_failed", "`c`"), ("step_completed", "`p` answered \"bad\"")],
        Planted::IsEditedBadly => &[
            ("attempt_failed", "`p`"),
            ("approval_granted", "eve granted `p`, changed with {\"got\":\"bad\"}"),
        ],
        Planted::IsSignalledBadly => &[
            ("attempt_failed", "`c`"),
            ("step_completed", "`p`"),
            ("signal_received", "sent the signal `go`: \"bad\""),
        ],
        Planted::FallsBackInVain => &[
            ("attempt_failed", "`p`"),
            ("fallback_engaged", "from agent world, which had failed for good, to other"),
            ("attempt_failed", "attempt 1 at `p` failed"),
        ],
        Planted::IsLeftOut => {
            &[("step_skipped", "`c`"), ("step_skipped", "`p`"), ("attempt_failed", "attempt 3 at `p`")]
        }
        Planted::FailsFast => &[("step_cancelled", "`q`"), ("attempt_failed", "attempt 1 at `p`")],
        Planted::CannotBeUndone => &[
            ("run_stuck", "`p`"),
            ("compensation_failed", "`p`"),
            ("attempt_failed", "attempt 2 at undoing `p`"),
            ("rollback_started", "`z`"),
            ("attempt_failed", "attempt 1 at `z`"),
        ],
        Planted::TakesTooLong => {
            &[("step_cancelled", "`q`"), ("timer_fired", "the time of the run was over, which is 20s")]
        }
        Planted::IsCancelled => &[("cancel_requested", "eve cancelled the run: planted")],
    }
}

#[test]
fn the_chain_of_a_run_with_a_planted_cause_comes_to_it() {
    let mut count = 0;
    for planted in ALL {
        for seed in 1..=SEEDS {
            let story = Story::of(planted, seed);
            let run = played(&story);
            let chain = why(&run, asked_about(planted));
            check_links(&chain, run.history());
            let told = || format!("{planted:?} of seed {seed}\n{}\n{chain:#?}", story.yaml());
            let mut rest = chain.iter();
            for (kind, says) in expected(planted) {
                let found = rest.any(|cause| cause.kind == *kind && cause.says.contains(says));
                assert!(found, "no {kind} that says {says}\n{}", told());
            }
            if !story.uses
                && !matches!(planted, Planted::CannotBeUndone | Planted::TakesTooLong | Planted::IsCancelled)
            {
                let root = chain.last().unwrap();
                let is_of_nobody = root.kind == "signal_received";
                assert!(
                    is_of_nobody || root.step.as_ref().is_some_and(|step| step.as_str() == "p"),
                    "{}",
                    told()
                );
            }
            count += 1;
        }
    }
    assert!(count >= 100, "{count}");
}

/// Whatever is asked about, of whatever run: no link twice, each of the history, and never none.
#[test]
fn every_step_of_every_run_has_a_chain() {
    for planted in ALL {
        let story = Story::of(planted, 5);
        let run = played(&story);
        for node in ["s0", "p", "q", "c", "z"] {
            check_links(&why(&run, Some(node)), run.history());
        }
        check_links(&why(&run, None), run.history());
    }
}
