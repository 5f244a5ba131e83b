//! What a run may spend: what is reserved, what is used, when it stops, and what lets it go on.

use super::play::{Play, order};
use super::*;
use crate::aggregates::run::Raise;
use crate::events::ids::{AgentName, StepId};
use crate::kernel::{Attention, Own, People};

/// An agent an attempt of which uses 300 tokens and 10 cents at most.
const DEAR: (&str, &str) = ("dear", r#"{"budget":{"tokens":300,"usd_nanos":100000000}}"#);

fn play(text: &str) -> Play {
    Play::eager_with(&format!("name: w\n{text}"), &[DEAR], |start| start.parallel = 100)
}

fn raise(limits: SpendLimits) -> Ask {
    Ask::RaiseBudget(Box::new(Raise { limits, by: "ada".into(), reason: None }))
}

fn calls(calls: u64) -> SpendLimits {
    SpendLimits { calls: Some(calls), ..SpendLimits::default() }
}

fn used(calls: u64, tokens: u64, usd_nanos: u64) -> Usage {
    Usage { calls, input_tokens: tokens / 2, output_tokens: tokens - tokens / 2, usd_nanos }
}

fn completes(play: &mut Play, step: &str, usage: Usage) -> Vec<String> {
    let fence = play.open(step).fence;
    play.ask(Ask::Completed {
        step: StepId::grown(step),
        fence,
        output: Output { usage, ..Output::default() },
    })
}

fn spend(play: &Play) -> (Spend, Spend) {
    let budget = play.state().budget().unwrap();
    (budget.used, budget.reserved)
}

const ONE_CALL: Spend = Spend { calls: 1, tokens: 0, usd_nanos: 0 };

#[test]
fn a_run_without_limits_records_nothing_of_what_it_spends() {
    let mut play = play("steps: [{id: a, agent: dear}]");
    assert!(play.state().budget().is_none());
    assert_eq!(completes(&mut play, "a", used(3, 10, 5)), ["step_completed a", "run_completed"]);
}

#[test]
fn a_call_is_reserved_before_it_is_made_and_settled_with_what_came_of_it() {
    let mut play = play("limits: {calls: 2}\nsteps: [{id: a, run: x}, {id: b, run: x}, {id: c, run: x}]");
    let begun: Vec<_> = play.log.iter().map(play::word).collect();
    assert_eq!(begun[..2], ["run_started", "budget_set"]);
    assert_eq!(begun[5..], ["attempt_started a", "budget_reserved a"]);
    assert_eq!(spend(&play), (Spend::default(), ONE_CALL));
    let next = ["budget_settled a", "step_completed a", "attempt_started b", "budget_reserved b"];
    assert_eq!(completes(&mut play, "a", Usage::default()), next);
    assert_eq!(spend(&play), (ONE_CALL, ONE_CALL));
    let met = ["budget_settled b", "step_completed b", "budget_exhausted c"];
    assert_eq!(completes(&mut play, "b", Usage::default()), met);
    assert_eq!((play.state().status(), play.status("c")), (RunStatus::Waiting, "pending"));
    let waits = Attention { people: People::Until(None), own: Own::None, ..Attention::default() };
    assert_eq!(play.state().attention(), waits, "nobody need drive it meanwhile");
    assert!(play.state().startable(&Ask::Go).0.is_empty(), "it asks for no slots");
    assert_eq!(play.recover(), [""; 0]);
    assert_eq!(play.ask(Ask::Go), [""; 0], "it says so once");
    let goes_on = ["budget_raised", "attempt_started c", "budget_reserved c"];
    assert_eq!(play.ask(raise(calls(3))), goes_on);
    assert_eq!(
        completes(&mut play, "c", Usage::default()),
        ["budget_settled c", "step_completed c", "run_completed"]
    );
    assert_eq!(spend(&play).0.calls, 3);
}

#[test]
fn fifty_parallel_steps_with_a_limit_of_twenty_calls_make_exactly_twenty() {
    let mut play = play(
        "limits: {calls: 20}\nsteps: [{id: a, run: x, for_each: '[0] * 50'}]"
            .replace("'[0] * 50'", &format!("{:?}", vec![0; 50]))
            .as_str(),
    );
    assert_eq!(play.attempts().len(), 20);
    let exhausted =
        |play: &Play| play.log.iter().filter(|event| matches!(event, RunEvent::BudgetExhausted(_))).count();
    assert_eq!((exhausted(&play), play.state().status()), (1, RunStatus::Running));
    for attempt in play.attempts() {
        play.complete(attempt.step.as_str(), "1");
    }
    assert_eq!((play.attempts().len(), exhausted(&play)), (0, 1));
    assert_eq!((play.state().status(), spend(&play).0.calls), (RunStatus::Waiting, 20));
    play.ask(raise(calls(45)));
    assert_eq!(play.attempts().len(), 25);
}

#[test]
fn tokens_and_money_are_reserved_as_the_agent_says_and_settled_as_it_reports() {
    let mut play =
        play("limits: {tokens: 1000, usd: 0.50}\nsteps: [{id: a, agent: dear, for_each: [1, 2, 3, 4, 5]}]");
    assert_eq!(play.attempts().len(), 3, "three times 300 tokens are 900");
    let RunEvent::BudgetExhausted(lacks) = play.log.last().unwrap() else { panic!("{:?}", play.log.last()) };
    let told = (lacks.kind, lacks.used, lacks.reserved, lacks.wanted, lacks.limit);
    assert_eq!(told, (SpendKind::Tokens, 0, 900, 300, 1_000));
    let spent = completes(&mut play, "a[0]", used(1, 100, 40_000_000));
    assert_eq!(
        spent,
        [
            "budget_settled a[0]",
            "step_completed a[0]",
            "attempt_started a[3]",
            "budget_reserved a[3]",
            "budget_exhausted a[4]"
        ]
    );
    completes(&mut play, "a[1]", used(1, 700, 300_000_000));
    completes(&mut play, "a[2]", used(1, 100, 10_000_000));
    assert_eq!(play.state().status(), RunStatus::Running);
    completes(&mut play, "a[3]", used(2, 50, 10_000_000));
    let whole = Spend { calls: 5, tokens: 950, usd_nanos: 360_000_000 };
    assert_eq!((spend(&play), play.state().status()), ((whole, Spend::default()), RunStatus::Waiting));
    let more = SpendLimits { tokens: Some(1_250), ..SpendLimits::default() };
    play.ask(raise(more));
    assert_eq!(play.attempts().len(), 1, "to the last token");
}

#[test]
fn a_limit_that_is_met_stops_also_what_says_nothing_of_what_it_costs() {
    let mut play =
        play("limits: {usd: 1}\nsteps: [{id: a, run: x}, {id: b, run: x}, {id: c, sleep: 1s, needs: [a]}]");
    let met = completes(&mut play, "a", used(1, 0, 1_500_000_000));
    assert_eq!(met, ["budget_settled a", "step_completed a", "timer_set c", "budget_exhausted b"]);
    assert_eq!(play.state().status(), RunStatus::Running, "what spends nothing goes on");
    assert_eq!(play.sleep(Duration::from_secs(1)), ["timer_fired", "step_completed c"]);
    assert_eq!(play.state().status(), RunStatus::Waiting);
}

#[test]
fn what_nobody_can_know_counts_as_what_was_reserved() {
    let mut play = play(
        "limits: {calls: 9, tokens: 2000}\nsteps: [{id: a, agent: dear, retry: {attempts: 9, initial: 1s, jitter: 0}}]",
    );
    let again = ["budget_settled a", "attempt_lost a", "attempt_started a", "budget_reserved a"];
    assert_eq!(play.recover(), again);
    assert_eq!(spend(&play).0, Spend { calls: 1, tokens: 300, usd_nanos: 100_000_000 });
    play.fail("a", Failure::stopped(Stop::TimedOut));
    assert_eq!(spend(&play).0.tokens, 600, "it may have spent all of it before it was stopped");
    play.sleep(Duration::from_secs(1));
    let failure = Failure { usage: used(1, 450, 0), ..exit(Class::Transient) };
    play.fail("a", failure);
    assert_eq!(spend(&play).0.tokens, 1_050, "it reports more than was reserved");
    play.sleep(Duration::from_secs(2));
    play.fail("a", exit(Class::Transient));
    assert_eq!(
        spend(&play).0,
        Spend { calls: 4, tokens: 1_350, usd_nanos: 300_000_000 },
        "it reports nothing"
    );
}

#[test]
fn a_run_may_fail_at_its_limit_and_goes_on_when_that_is_raised_and_it_is_tried_again() {
    let file =
        "limits: {calls: 1}\non_limit: fail\nsteps: [{id: a, run: x}, {id: b, run: x, on_error: continue}]";
    let mut play = play(file);
    let fails =
        ["budget_settled a", "step_completed a", "budget_exhausted b", "step_failed b", "run_failed b"];
    assert_eq!(completes(&mut play, "a", Usage::default()), fails);
    let RunEvent::RunFailed(failed) = play.log.last().unwrap() else { panic!() };
    let says = "the run's limit of 1 call does not allow step `b`, which wants 1 call: 1 call used";
    assert_eq!((failed.code, &*failed.message), (Code::SpendExceeded, says));
    assert_eq!(play.ask(raise(calls(2))), ["budget_raised"]);
    assert_eq!(play.state().status(), RunStatus::Failed, "it is not tried again by itself");
    let retried = ["retry_requested", "attempt_started b", "budget_reserved b"];
    assert_eq!(play.retry(), retried);
}

#[test]
fn a_run_that_is_tried_again_at_the_same_limit_fails_at_it_again() {
    let mut play = play("limits: {calls: 1}\non_limit: fail\nsteps: [{id: a, run: x}, {id: b, run: x}]");
    completes(&mut play, "a", Usage::default());
    assert_eq!(play.retry(), ["retry_requested", "budget_exhausted b", "step_failed b", "run_failed b"]);
}

#[test]
fn a_run_that_may_fail_at_its_limit_waits_for_what_may_come_back() {
    let file = "limits: {tokens: 500}\non_limit: fail\nsteps: [{id: a, agent: dear, for_each: [1, 2, 3]}]";
    let mut play = play(file);
    assert_eq!((play.attempts().len(), play.state().status()), (1, RunStatus::Running));
    completes(&mut play, "a[0]", used(1, 150, 0));
    assert_eq!((play.attempts().len(), play.state().status()), (1, RunStatus::Running));
    completes(&mut play, "a[1]", used(1, 300, 0));
    assert_eq!(play.result().0, RunStatus::Failed);
}

#[test]
fn what_undoes_something_is_never_held_up_and_what_it_reports_counts() {
    let file =
        "limits: {calls: 2, tokens: 10}\nsteps: [{id: a, run: x, compensate: {run: y}}, {id: b, run: x}]";
    let mut play = play(file);
    completes(&mut play, "a", used(1, 10, 0));
    assert_eq!(play.state().status(), RunStatus::Waiting);
    let back = play.roll_back(None);
    assert_eq!(back, ["rollback_started", "compensation_started a", "attempt_started undo a"]);
    completes(&mut play, "a", used(0, 7, 0));
    assert_eq!(
        (play.result().0, spend(&play).0),
        (RunStatus::Compensated, Spend { calls: 1, tokens: 17, usd_nanos: 0 })
    );
    assert_eq!(play.refused(raise(calls(5))), Code::RunEnded);
}

#[test]
fn only_a_limit_that_is_there_is_raised_and_only_upwards() {
    let mut play = play("limits: {calls: 2}\nsteps: [{id: a, run: x}]");
    for (limits, says) in [
        (calls(2), "2 calls is no more than the limit of 2 calls that the run has"),
        (calls(1), "1 call is no more than the limit of 2 calls that the run has"),
        (SpendLimits { usd_nanos: Some(5), ..calls(3) }, "the run has no limit of usd"),
        (SpendLimits::default(), "nothing says which limit is to be raised"),
    ] {
        let refused = play.refusal(&raise(limits)).unwrap();
        assert_eq!((refused.code, &*refused.message), (Code::NotRaised, says));
    }
    assert_eq!(play.ask(raise(calls(3))), ["budget_raised"]);
    assert_eq!(play.refused(raise(calls(3))), Code::NotRaised, "a second raise to the same");
    let free = self::play("steps: [{id: a, run: x}]");
    assert_eq!(free.refused(raise(calls(3))), Code::NotRaised);
}

#[test]
fn a_paused_run_and_one_that_waits_for_people_are_that_first() {
    let file = "limits: {calls: 1}\nsteps: [{id: a, run: x}, {id: b, run: x}, {id: c, run: x, needs: [a], approve: before}]";
    let mut play = play(file);
    completes(&mut play, "a", Usage::default());
    assert!(play.state().lacks_spend() && play.state().people().open.len() == 1);
    play.ask(Ask::Pause(order()));
    assert_eq!(play.state().status(), RunStatus::Paused);
    play.ask(raise(calls(2)));
    assert_eq!(play.state().status(), RunStatus::Paused, "nothing starts before it goes on");
    let on = play.ask(Ask::Unpause(order()));
    assert_eq!(on, ["run_unpaused", "attempt_started b", "budget_reserved b"]);
}

#[test]
fn raised_while_nobody_drives_it_a_run_could_go_on() {
    let mut play = play("limits: {calls: 1}\nsteps: [{id: a, run: x}, {id: b, run: x}]");
    completes(&mut play, "a", Usage::default());
    play.driven_since = None;
    assert_eq!(play.ask(raise(calls(2))), ["budget_raised"]);
    assert_eq!((play.state().status(), play.state().attention().own), (RunStatus::Running, Own::Now));
}

#[test]
fn time_does_not_count_while_a_run_waits_to_be_let_spend_more() {
    let mut play = play("limits: {calls: 1, duration: 1h}\nsteps: [{id: a, run: x}, {id: b, run: x}]");
    play.now = play.now.after(Duration::from_secs(60));
    let yaml = play.state().about().unwrap().started.duration_limit_us;
    assert!(yaml.is_none(), "the test's start resolves no limit of time");
    completes(&mut play, "a", Usage::default());
    play.sleep(Duration::from_secs(600));
    assert_eq!(play.state().waited(play.now), Duration::from_secs(600));
}

#[test]
fn an_agent_that_is_paused_is_waited_for_beside_it() {
    let mut play = play("limits: {calls: 1}\nsteps: [{id: a, run: x}, {id: b, agent: dear}]");
    completes(&mut play, "a", Usage::default());
    play.paused.insert(AgentName::new("dear"));
    play.ask(Ask::AgentPaused { agent: AgentName::new("dear") });
    assert_eq!(play.ask(raise(calls(2))), ["budget_raised"]);
    assert_eq!(play.state().status(), RunStatus::Waiting, "for the agent");
    assert_eq!(play.free_agent("dear"), ["agent_await_ended", "attempt_started b", "budget_reserved b"]);
}
