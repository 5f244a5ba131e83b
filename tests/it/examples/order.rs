//! `order.yaml`: what a shop holds in its database is reserved, charged and shipped, or stays as it was.

use serde_json::{Value, json};

use super::hang::Hanging;
use super::sandbox;
use crate::support::Sandbox;

const FILE: &str = "examples/order.yaml";

/// What the shop holds in the beginning: chairs and lamps, and cents of ada and ben.
const OPENING: [i64; 4] = [12, 5, 100_000, 20_000];

/// What the shop holds when ada has bought two chairs.
const SOLD: [i64; 4] = [10, 5, 91_000, 20_000];

/// Asks the shop's database.
fn ask(sandbox: &Sandbox, sql: &str) -> Vec<i64> {
    let shops = std::fs::read_dir(sandbox.tmp()).unwrap().map(|entry| entry.unwrap().path());
    let shop = shops.into_iter().find(|path| path.to_str().unwrap().contains("reenact-shop-")).unwrap();
    let asked = std::process::Command::new("sqlite3").arg(shop.join("shop.db")).arg(sql).output().unwrap();
    assert!(asked.status.success(), "{asked:?}");
    String::from_utf8(asked.stdout)
        .unwrap()
        .split_whitespace()
        .map(|number| number.parse().unwrap())
        .collect()
}

fn holds(sandbox: &Sandbox) -> Vec<i64> {
    ask(sandbox, "SELECT holds FROM stock ORDER BY name; SELECT holds FROM accounts ORDER BY name")
}

fn shipments(sandbox: &Sandbox) -> i64 {
    ask(sandbox, "SELECT count(*) FROM shipments")[0]
}

/// Makes the run `r` of the example with an input, which must end with `code`.
fn order(code: i32, input: &[&str]) -> (Sandbox, Value) {
    let sandbox = sandbox();
    let input = input.iter().flat_map(|input| ["--input", input]);
    let arguments: Vec<&str> = ["run", FILE, "--id", "r"].into_iter().chain(input).collect();
    let report = sandbox.json(code, &arguments);
    (sandbox, report)
}

#[test]
fn an_order_is_reserved_charged_and_shipped_and_taken_back_whole() {
    let (sandbox, report) = order(0, &[]);
    assert_eq!(report["output"], json!({"customer": "ada", "item": "chair", "quantity": 2}));
    assert_eq!((holds(&sandbox), shipments(&sandbox)), (SOLD.to_vec(), 1));
    assert_eq!(sandbox.json(3, &["rollback", "r"])["status"], "compensated");
    assert_eq!((holds(&sandbox), shipments(&sandbox)), (OPENING.to_vec(), 0));
}

#[test]
fn an_order_that_cannot_be_filled_leaves_the_shop_as_it_was() {
    for (code, step, input) in [
        (1, "reserve", "quantity=13"),
        (1, "reserve", "item=sofa"),
        (1, "reserve", "fail_at=reserve"),
        (3, "charge", "customer=zoe"),
        (3, "charge", "fail_at=charge"),
        (3, "ship", "fail_at=ship"),
    ] {
        let (sandbox, report) = order(code, &[input]);
        assert_eq!(report["error"]["step"], step, "{report:#}");
        assert_eq!(report["error"]["class"], "validation", "trying again does not help");
        assert_eq!((holds(&sandbox), shipments(&sandbox)), (OPENING.to_vec(), 0), "{input}");
        assert_eq!(ask(&sandbox, "SELECT count(*) FROM entries"), [0]);
    }
    // Five chairs are more than ben can pay.
    let (sandbox, report) = order(3, &["customer=ben", "quantity=5"]);
    assert_eq!(report["error"]["step"], "charge");
    assert_eq!(holds(&sandbox), OPENING);
}

/// The worst moment: a transaction is committed, and nobody has recorded it.
#[test]
fn an_order_that_is_killed_after_each_transaction_is_filled_once() {
    let sandbox = sandbox();
    let hanging = Hanging::after(&sandbox, &["sqlite3"], "do");
    let (ended, kills) = hanging.see_through(&["run", FILE, "--id", "r"], &["resume", "r"], || {});
    assert_eq!((ended.code(), kills), (Some(0), 4), "{ended}");
    assert_eq!((holds(&sandbox), shipments(&sandbox)), (SOLD.to_vec(), 1));
}

#[test]
fn an_order_that_is_killed_after_each_transaction_of_its_rollback_is_undone_once() {
    let sandbox = sandbox();
    sandbox.json(0, &["run", FILE, "--id", "r"]);
    let hanging = Hanging::after(&sandbox, &["sqlite3"], "compensate");
    let (ended, kills) = hanging.see_through(&["rollback", "r"], &["resume", "r"], || {});
    assert_eq!((ended.code(), kills), (Some(3), 3), "{ended}");
    assert_eq!((holds(&sandbox), shipments(&sandbox)), (OPENING.to_vec(), 0));
    assert_eq!(ask(&sandbox, "SELECT count(*) FROM entries"), [0]);
}

/// Several runs at the same shop, from processes that have stores of their own: no chair is sold twice.
#[test]
fn orders_at_the_same_time_sell_what_there_is_and_no_more() {
    let sandbox = sandbox();
    let processes: Vec<_> = (0..4)
        .map(|number| {
            let mut command = sandbox.command(&["run", FILE, "--input", "quantity=5"]);
            command.env("REENACT_DATA", sandbox.root().join(format!("data-{number}")));
            sandbox.start(command)
        })
        .collect();
    let mut codes: Vec<_> = processes.into_iter().map(|process| process.wait().code().unwrap()).collect();
    codes.sort_unstable();
    assert_eq!(codes, [0, 0, 1, 1]);
    assert_eq!((holds(&sandbox), shipments(&sandbox)), (vec![2, 5, 55_000, 20_000], 2));
}
