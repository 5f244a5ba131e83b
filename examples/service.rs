//! A service that runs sagas: each line that it reads is an order, and each order is a run that reserves, asks for payment and
//! ships, or undoes what it did. Kill it whenever you like: started again, it goes on with every order.
//!
//! ```console
//! $ printf '7 tea 2\n8 gold 1\n' | cargo run --example service
//! $ reenact --data "${TMPDIR:-/tmp}/orders" list
//! ```
#![allow(clippy::print_stdout)] // It is a program.

use std::io::BufRead;
use std::path::Path;

use futures_util::future::join_all;
use reenact::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Order {
    item: String,
    count: u32,
}

#[derive(Debug, Serialize, Deserialize)]
struct Reservation {
    shelf: String,
    order: Order,
}

const SAGA: &str = "
name: order
steps:
  - {id: reserve, agent: reserve, with: '{{ input }}', compensate: {agent: release}}
  - {id: charge, agent: charge, with: '{{ steps.reserve.output }}', retry: {attempts: 3, initial: 10ms}}
  - {id: ship, agent: ship, with: '{{ steps.reserve.output }}', irreversible: true}
output: '{{ steps.ship.output }}'
";

async fn reserve(order: Order) -> Result<Reservation, Failure> {
    Ok(Reservation { shelf: format!("shelf {}", order.item.len()), order })
}

async fn release(undo: Undo<Reservation>, call: FunctionCall) -> Result<(), Failure> {
    match undo {
        Undo::Completed(Reservation { shelf, order }) => call.say(&format!("{} back to {shelf}", order.item)),
        // It may or may not have been reserved: whoever keeps the shelves knows orders by the id of their runs.
        Undo::Unknown => call.say(&format!("whatever is kept for {} goes back", call.task.run)),
    }
    Ok(())
}

async fn charge(reservation: Reservation, call: FunctionCall) -> Result<u32, Failure> {
    match reservation.order.item.as_str() {
        "gold" => Err(Failure::validation("nobody can pay that")),
        // A bank that is asked twice for one thing charges once: all attempts have one key.
        _ if call.task.attempt == 1 => Err(Failure::transient("the bank does not answer")),
        _ => Ok(5 * reservation.order.count),
    }
}

async fn ship(reservation: Reservation) -> Result<String, Failure> {
    Ok(format!("{} × {}", reservation.order.count, reservation.order.item))
}

/// Takes orders, one a line (`ID ITEM COUNT`), and sees all through.
async fn serve(data: &Path, orders: impl BufRead) -> Result<Vec<String>, Problem> {
    let engine = Engine::open(data)
        .function("reserve", reserve)
        .compensation("release", release)
        .function("charge", charge)
        .function("ship", ship)
        .by("shop")
        .start()
        .await?;
    // Read and checked once, for all orders.
    let saga = engine.resolve(RunSpec::text(SAGA)).await.map_err(|mut problems| problems.remove(0))?;
    let mut runs = Vec::new();
    for line in orders.lines().map_while(Result::ok) {
        let mut words = line.split_whitespace();
        let (Some(id), Some(item), Some(count)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        let order = Order { item: item.to_owned(), count: count.parse().unwrap_or(1) };
        // An order that comes twice is one run.
        runs.push(engine.run(saga.clone().id(format!("order-{id}"))?.input(&order)?).await?);
    }
    let told = runs.iter().map(|run| async move {
        let outcome = run.outcome().await?;
        Ok(match outcome.output::<String>() {
            Ok(shipped) => format!("{}: shipped {shipped}", run.id()),
            Err(why) => format!("{}: {why}", run.id()),
        })
    });
    let told = join_all(told).await.into_iter().collect();
    engine.shut_down().await?;
    told
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Problem> {
    for line in serve(&std::env::temp_dir().join("orders"), std::io::stdin().lock()).await? {
        println!("{line}");
    }
    Ok(())
}

#[tokio::test]
async fn an_order_that_comes_twice_is_shipped_once_and_one_that_nobody_can_pay_is_undone() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let told = serve(folder.path(), "7 tea 2\n8 gold 1\n7 tea 2\n".as_bytes()).await.unwrap();
        let tea = "order-7: shipped 2 × tea";
        assert_eq!(told, [tea, "order-8: nobody can pay that", tea]);
    }
}
