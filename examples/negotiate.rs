//! Three agents that negotiate: a buyer asks two sellers, tells each what the other wants, and takes who gives way first. Every word
//! is an event of the run: kill it whenever you like, and run it again.
//!
//! ```console
//! $ cargo run --example negotiate
//! $ reenact --data "${TMPDIR:-/tmp}/negotiation" messages last
//! ```
#![allow(clippy::print_stdout)] // It is a program.

use std::time::Duration;

use reenact::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What the buyer offers for the tea, in euros.
#[derive(Clone, Serialize, Deserialize)]
struct Offer {
    euros: u32,
}

/// What a seller wants for it.
#[derive(Serialize, Deserialize)]
struct Demand {
    euros: u32,
    last_word: bool,
}

impl Message for Offer {
    const NAME: &'static str = "offer";
    type Answer = Demand;

    fn schema() -> Option<Value> {
        Some(json!({"type": "object", "properties": {"euros": {"type": "integer", "minimum": 1}}}))
    }
}

/// How long a seller may think.
const PATIENCE: Duration = Duration::from_secs(10);

const DEAL: &str = "
name: negotiate
steps: [{id: buy, agent: buyer, with: {first: 40}}]
output: {deal: '{{ steps.buy.output }}', demands: '{{ context.demands }}'}";

#[derive(Deserialize)]
struct Budget {
    first: u32,
}

/// Offers more and more, until a seller takes it.
async fn buy(budget: Budget, call: FunctionCall) -> Result<Value, Failure> {
    for euros in (budget.first..).step_by(10) {
        for seller in ["importer", "grocer"] {
            let demand = call.ask(seller, &Offer { euros }, PATIENCE).await?;
            if demand.euros <= euros {
                return Ok(json!({"from": seller, "euros": demand.euros}));
            }
            if demand.last_word {
                return Err(Failure::validation(format!("{seller} does not go below {}", demand.euros)));
            }
        }
    }
    Err(Failure::validation("no seller gives way"))
}

/// A seller wants less with every offer that it hears in a run, which it counts in the context of the run.
fn sells(
    first: u32,
    least: u32,
) -> impl Fn(Offer, MessageCall) -> std::future::Ready<Result<Demand, Failure>> {
    move |offer: Offer, call: MessageCall| {
        let demand = || {
            let (heard, version) = match call.context_get::<u32>("demands")? {
                Some((heard, version)) => (heard, Some(version)),
                None => (0, None),
            };
            call.context_set("demands", &(heard + 1), version)?;
            let wanted = first.saturating_sub(5 * heard).max(least);
            Ok(Demand {
                euros: if wanted <= offer.euros + 5 { offer.euros } else { wanted },
                last_word: wanted == least,
            })
        };
        std::future::ready(demand())
    }
}

#[tokio::main]
async fn main() -> Result<(), Problem> {
    let engine = Engine::open(std::env::temp_dir().join("negotiation"))
        .function("buyer", buy)
        .on("importer", sells(90, 50))
        .on("grocer", sells(80, 60))
        .start()
        .await?;
    let run = engine.run(RunSpec::text(DEAL)).await?;
    let deal: Value = run.outcome().await?.output()?;
    println!("{}", json!({"run": run.id(), "deal": deal}));
    engine.shut_down().await
}
