//! `transfer.yaml`: money moves whole or not at all, and never comes or goes.

use serde_json::json;

use super::hang::Hanging;
use super::{Bank, sandbox};
use crate::support::Sandbox;

const FILE: &str = "examples/transfer.yaml";

/// What a transfer moves if nothing else is said.
const AMOUNT: i64 = 2_500;

/// Makes the run `r` of the example with an input, which must end with `code`; checks the bank.
fn transfer(sandbox: &Sandbox, code: i32, input: &[&str]) -> (serde_json::Value, Bank) {
    let input = input.iter().flat_map(|input| ["--input", input]);
    let arguments: Vec<&str> = ["run", FILE, "--id", "r"].into_iter().chain(input).collect();
    let report = sandbox.json(code, &arguments);
    let bank = Bank::read(sandbox);
    bank.check(AMOUNT);
    (report, bank)
}

fn balances(bank: &Bank) -> (i64, i64) {
    (bank.balance("ada"), bank.balance("ben"))
}

#[test]
fn a_transfer_moves_the_amount_once() {
    let sandbox = sandbox();
    let (report, bank) = transfer(&sandbox, 0, &[]);
    assert_eq!(report["output"], json!({"ada": 97_500, "ben": 102_500}));
    assert_eq!(balances(&bank), (97_500, 102_500));
    assert_eq!((bank.clearing.len(), bank.letters.len()), (1, 1));
}

#[test]
fn what_is_refused_leaves_nothing() {
    for (step, input) in [
        ("accounts", "from=zoe"),
        ("accounts", "to=ada"),
        ("withdraw", "amount=100001"),
        ("withdraw", "fail_at=withdraw"),
    ] {
        let sandbox = sandbox();
        let (report, bank) = transfer(&sandbox, 1, &[input]);
        assert_eq!((&report["status"], &report["error"]["step"]), (&json!("failed"), &json!(step)));
        assert_eq!(report["error"]["class"], "validation", "trying again does not help");
        assert_eq!(balances(&bank), (100_000, 100_000));
        assert_eq!(bank.moved("r"), (0, 0));
    }
}

#[test]
fn a_transfer_of_all_there_is_is_none_too_much() {
    let sandbox = sandbox();
    sandbox.json(0, &["run", FILE, "--input", "amount=100000"]);
    assert_eq!(balances(&Bank::read(&sandbox)), (0, 200_000));
}

#[test]
fn input_that_is_no_transfer_starts_nothing() {
    let sandbox = sandbox();
    for input in ["amount=0", "amount=-5", "amount=2.5", "from=../ada", "fail_at=nowhere"] {
        let refused = sandbox.json(2, &["run", FILE, "--input", input]);
        assert!(refused["error"]["code"].is_string(), "{refused}");
    }
    assert_eq!(sandbox.json(0, &["list"])["runs"], json!([]));
}

#[test]
fn a_transfer_that_fails_before_it_is_settled_is_undone_dependents_first() {
    for (step, undone) in [("deposit", vec!["withdraw"]), ("settle", vec!["deposit", "withdraw"])] {
        let sandbox = sandbox();
        let (report, bank) = transfer(&sandbox, 3, &[&format!("fail_at={step}")]);
        assert_eq!((&report["status"], &report["error"]["step"]), (&json!("compensated"), &json!(step)));
        assert_eq!((balances(&bank), bank.moved("r")), ((100_000, 100_000), (0, 0)));
        assert_eq!((bank.clearing.len(), bank.letters.len()), (0, 0));
        let history = sandbox.history("r");
        let compensated = history.iter().filter(|event| event["type"] == "step_compensated");
        let order: Vec<_> = compensated.map(|event| event["data"]["step"].as_str().unwrap()).collect();
        assert_eq!(order, undone);
    }
}

#[test]
fn a_transfer_that_fails_when_it_is_settled_is_stuck_until_it_is_mended_and_tried_again() {
    let sandbox = sandbox();
    let (report, bank) = transfer(&sandbox, 5, &["fail_at=confirm"]);
    assert_eq!((&report["status"], &report["error"]["step"]), (&json!("stuck"), &json!("confirm")));
    assert_eq!(balances(&bank), (97_500, 102_500), "what is settled stays");
    assert_eq!(sandbox.json(2, &["rollback", "r"])["error"]["code"], "RE-2011");
    assert_eq!(sandbox.json(5, &["retry", "r"])["status"], "stuck", "what failed fails again");
    Bank::mend(&sandbox);
    let report = sandbox.json(0, &["retry", "r"]);
    assert_eq!(report["output"], json!({"ada": 97_500, "ben": 102_500}));
    let bank = Bank::read(&sandbox);
    bank.check(AMOUNT);
    assert_eq!((balances(&bank), bank.clearing.len(), bank.letters.len()), ((97_500, 102_500), 1, 1));
}

/// What a deposit brought may be spent before it is undone. Then a person has to say what becomes of it.
#[test]
fn what_is_spent_already_is_not_taken_out_again() {
    let sandbox = sandbox();
    sandbox.json(4, &["run", FILE, "--id", "r", "--input", "amount=60000", "--until", "deposit"]);
    sandbox.json(0, &["run", FILE, "--input", "amount=150000", "--input", "from=ben", "--input", "to=ada"]);
    let report = sandbox.json(5, &["rollback", "r"]);
    assert_eq!((&report["status"], &report["error"]["step"]), (&json!("stuck"), &json!("deposit")));
    assert_eq!(balances(&Bank::read(&sandbox)), (190_000, 10_000), "nothing of it was undone");
    let by_hand = ["rollback", "resolve", "r", "deposit", "--skip", "--reason", "we bear the loss"];
    sandbox.json(0, &by_hand);
    assert_eq!(sandbox.json(3, &["resume", "r"])["status"], "compensated");
    assert_eq!(balances(&Bank::read(&sandbox)), (250_000, 10_000));
}

/// The worst moment: an account has changed, and nobody has recorded it.
#[test]
fn a_transfer_that_is_killed_after_each_effect_moves_the_amount_once() {
    let sandbox = sandbox();
    let hanging = Hanging::after(&sandbox, &["mv"], "do");
    let look = || Bank::read(&sandbox).check(AMOUNT);
    let (ended, kills) = hanging.see_through(&["run", FILE, "--id", "r"], &["resume", "r"], look);
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert_eq!(kills, 5, "each step but `statement` changes something");
    let bank = Bank::read(&sandbox);
    bank.check(AMOUNT);
    assert_eq!((balances(&bank), bank.clearing.len(), bank.letters.len()), ((97_500, 102_500), 1, 1));
}

#[test]
fn a_transfer_that_is_killed_after_each_effect_of_its_rollback_moves_nothing() {
    let sandbox = sandbox();
    let hanging = Hanging::after(&sandbox, &["mv"], "compensate");
    let look = || Bank::read(&sandbox).check(AMOUNT);
    let run = ["run", FILE, "--id", "r", "--input", "fail_at=settle"];
    let (ended, kills) = hanging.see_through(&run, &["resume", "r"], look);
    assert_eq!((ended.code(), kills), (Some(3), 2), "{ended}");
    let bank = Bank::read(&sandbox);
    bank.check(AMOUNT);
    assert_eq!((balances(&bank), bank.moved("r")), ((100_000, 100_000), (0, 0)));
}

/// They write the same files, from several runs, and from processes that have stores of their own.
#[test]
fn transfers_at_the_same_time_lose_nothing() {
    let sandbox = sandbox();
    let there = ["run", FILE];
    let back = ["run", FILE, "--input", "from=ben", "--input", "to=ada"];
    let processes: Vec<_> = (0..6)
        .map(|number| {
            let mut command = sandbox.command(if number % 2 == 0 { &there[..] } else { &back[..] });
            if number >= 4 {
                command.env("REENACT_DATA", sandbox.root().join(format!("data-{number}")));
            }
            sandbox.start(command)
        })
        .collect();
    for process in processes {
        let ended = process.wait();
        assert_eq!(ended.code(), Some(0), "{ended}");
    }
    let bank = Bank::read(&sandbox);
    bank.check(AMOUNT);
    assert_eq!((balances(&bank), bank.letters.len()), ((100_000, 100_000), 6));
}
