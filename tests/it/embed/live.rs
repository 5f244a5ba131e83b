//! Agents of a program that handle messages as soon as they come: within runs, where each word is recorded, and without.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use reenact::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::kit::{current_thread, multi_thread};
use crate::support::Sandbox;

const LONG: Duration = Duration::from_secs(30);

#[derive(Clone, Serialize, Deserialize)]
struct Quote {
    item: String,
}

impl Message for Quote {
    const NAME: &'static str = "quote";
    type Answer = u32;

    fn schema() -> Option<Value> {
        Some(json!({"type": "object", "properties": {"item": {"minLength": 1}}}))
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Sold(u32);

impl Message for Sold {
    const NAME: &'static str = "sold";
    type Answer = ();
}

/// Who is asked for prices, and is told what was sold.
fn market(engine: reenact::api::engine::builder::Builder) -> reenact::api::engine::builder::Builder {
    let asked = Arc::new(AtomicUsize::new(0));
    engine
        .on("pricing", move |quote: Quote| {
            let asked = Arc::clone(&asked);
            async move {
                if quote.item == "gold" && asked.fetch_add(1, Ordering::SeqCst) == 0 {
                    return Err(Failure::transient("it is weighed"));
                }
                Ok(quote.item.len() as u32)
            }
        })
        .on("Pricing", |sold: Sold, call: MessageCall| async move {
            let before = call.context_get::<u32>("sold")?.map_or(0, |(sold, _)| sold);
            call.context_set("sold", &(before + sold.0), None)?;
            call.send(Outgoing::to("ledger", MessageKind::Notice).body(&call.message().id)?);
            Ok(())
        })
        .subscribe("pricing", "market.*")
}

/// Buys two things, and tells everybody.
async fn buys(call: FunctionCall) -> Result<u32, Failure> {
    let mut all = 0;
    for item in ["tea", "gold"] {
        all += call.ask("PRICING", &Quote { item: item.to_owned() }, LONG).await?;
    }
    call.publish("market.closed", &Sold(all)).await?;
    call.broadcast(&Sold(1)).await?;
    Ok(all)
}

const DEAL: &str = "
steps: [{id: buy, agent: buyer}, {id: rest, wait_for: go}, {id: note, agent: ledger}]
output: {paid: '{{ steps.buy.output }}', sold: '{{ context.sold }}', ids: '{{ steps.note.output }}'}";

async fn deals(data: std::path::PathBuf) {
    let ledger = |_: Value, call: FunctionCall| async move {
        let told = call.messages().iter().filter(|message| message.from.as_str() != "buyer");
        let ids: Vec<String> = told.map(MessageGiven::read).collect::<Result<_, _>>()?;
        Ok::<_, Failure>(ids)
    };
    let engine = market(Engine::open(data));
    let engine = engine.function("buyer", |_: Value, call: FunctionCall| buys(call));
    let engine = engine.function("ledger", ledger).start().await.unwrap();
    let run = engine.run(RunSpec::text(DEAL).id("d").unwrap()).await.unwrap();
    let (mut events, mut handled) = (run.events(), 0);
    // Both that were sold are noted by then.
    while handled < 6 {
        let event = events.next().await.unwrap().unwrap();
        handled += usize::from(event.kind == "message_handled");
    }
    run.signal("go", &Value::Null).await.unwrap();
    let output: Value = run.outcome().await.unwrap().output().unwrap();
    assert_eq!(output, json!({"paid": 7, "sold": 8, "ids": ["d/5", "d/6"]}));
    engine.shut_down().await.unwrap();
}

#[test]
fn an_attempt_asks_and_tells_agents_of_the_program_and_every_word_is_recorded() {
    let sandbox = Sandbox::new();
    multi_thread(deals(sandbox.data()));
    let shown = sandbox.reenact(&["--json", "messages", "d"]).json_lines();
    let words = |message: &Value| {
        ["from", "to", "kind", "state"].map(|key| message[key].as_str().unwrap().to_owned()).join(" ")
    };
    assert_eq!(
        shown.iter().map(words).collect::<Vec<_>>(),
        [
            "buyer PRICING request handled",
            "pricing buyer response handled",
            "buyer PRICING request handled",
            "pricing buyer response handled",
            "buyer topic:market.closed notice handled",
            "buyer * notice handled",
            "pricing ledger notice handled",
            "pricing ledger notice handled",
        ]
    );
    let weighed = sandbox.reenact(&["--json", "history", "d", "--type", "delivery_failed"]).json_lines();
    assert_eq!(weighed.len(), 1, "gold was weighed");
}

#[test]
fn what_an_agent_does_not_take_is_an_error_at_the_door_and_an_answer_that_is_late_is_nobodys() {
    let sandbox = Sandbox::new();
    current_thread(async {
        let (seen, told) = tokio::sync::mpsc::unbounded_channel();
        let buyer = move |call: FunctionCall| {
            let seen = seen.clone();
            async move {
                let empty = call.ask("pricing", &Quote { item: String::new() }, LONG).await;
                let nobody = call.ask("pricng", &Quote { item: "tea".to_owned() }, LONG).await;
                let untold = call.tell("slow", &Sold(1)).await;
                let late =
                    call.ask("slow", &Quote { item: "tea".to_owned() }, Duration::from_millis(20)).await;
                for error in [empty.map(drop), nobody.map(drop), untold, late.map(drop)] {
                    let failure = error.unwrap_err();
                    seen.send((failure.code, failure.message)).unwrap();
                }
                Ok::<_, Failure>(())
            }
        };
        let gate = Arc::new(tokio::sync::Semaphore::new(0));
        let opens = Arc::clone(&gate);
        let engine = market(Engine::open(sandbox.data()))
            .function("buyer", move |_: Value, call: FunctionCall| buyer(call))
            .on("slow", move |_: Quote| {
                let gate = Arc::clone(&gate);
                async move {
                    gate.acquire().await.unwrap().forget();
                    Ok(1)
                }
            });
        let engine = engine.start().await.unwrap();
        let spec = RunSpec::text("steps: [{id: a, agent: buyer}, {id: z, wait_for: go}]").id("d").unwrap();
        let run = engine.run(spec).await.unwrap();
        super::kit::recorded(&run, "step_completed").await;
        opens.add_permits(1);
        let expired = super::kit::recorded(&run, "message_expired").await;
        assert_eq!(expired["why"], "deadline");
        run.signal("go", &Value::Null).await.unwrap();
        assert!(run.outcome().await.is_ok());
        let mut told = told;
        let mut codes = Vec::new();
        while let Ok((code, message)) = told.try_recv() {
            codes.push(code);
            let says =
                ["body.item", "did you mean `pricing`", "of the type `sold`", "within 20ms"][codes.len() - 1];
            assert!(message.contains(says), "{message}");
        }
        let expected = [Code::WrongMessage, Code::NoSuchReceiver, Code::WrongMessage, Code::AnswerLate];
        assert_eq!(codes, expected);
        engine.shut_down().await.unwrap();
    });
}

#[test]
fn what_need_not_survive_is_told_without_a_run() {
    current_thread(async {
        let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
        let told = Arc::clone(&seen);
        let engine = market(Engine::in_memory())
            .on("diary", move |sold: Sold| {
                told.lock().unwrap().push(sold.0);
                async move { Ok(()) }
            })
            .on("diary", |_: Quote| std::future::pending())
            .on("clumsy", |sold: Sold| async move {
                assert!(sold.0 > 0, "it drops what is nothing");
                Ok(())
            })
            .start()
            .await
            .unwrap();
        let diary = engine.agent("Diary").unwrap();
        for n in 0..1_000 {
            diary.tell(Sold(n)).unwrap();
        }
        let panicked = engine.agent("clumsy").unwrap().ask(Sold(0), LONG).await;
        assert_eq!(panicked.unwrap_err().code, Code::Panicked);
        engine.agent("clumsy").unwrap().ask(Sold(1), LONG).await.expect("it goes on");
        diary.ask(Sold(1_000), LONG).await.unwrap();
        assert_eq!(*seen.lock().unwrap(), (0..=1_000).collect::<Vec<_>>(), "in order");
        assert_eq!(engine.broadcast(&Sold(7)).unwrap(), 2, "who takes them only within runs hears nothing");
        let pricing = engine.agent("pricing").unwrap();
        assert_eq!(pricing.ask(Quote { item: "tea".to_owned() }, LONG).await.unwrap(), 3);
        assert_eq!(
            pricing.ask(Quote { item: "gold".to_owned() }, LONG).await.unwrap_err().code,
            Code::FunctionFailed
        );
        assert_eq!(pricing.tell(Sold(1)).unwrap_err().code, Code::WrongMessage, "it needs a run");
        let late = diary.ask(Quote { item: "tea".to_owned() }, Duration::from_millis(10)).await;
        assert_eq!(late.unwrap_err().code, Code::AnswerLate);
        let full = (0..10_000).find_map(|n| diary.tell(Sold(n)).err()).expect("its mailbox is bounded");
        assert_eq!(full.code, Code::MailboxFull);
        let unknown = engine.agent("pricng").err().unwrap();
        assert_eq!(unknown.code, Code::UnknownFunction);
        assert!(format!("{:?}", unknown.remedies).contains("did you mean `pricing`?"), "{unknown:?}");
        engine.shut_down().await.unwrap();
        assert_eq!(pricing.tell(Quote { item: "tea".to_owned() }).unwrap_err().code, Code::ShuttingDown);
    });
}

#[test]
fn an_agent_is_given_one_closure_for_a_type() {
    current_thread(async {
        let twice =
            Engine::in_memory().on("a", |_: Sold| async { Ok(()) }).on("A", |_: Sold| async { Ok(()) });
        assert_eq!(twice.start().await.err().unwrap().code, Code::AgentTwice);
        let nobody = Engine::in_memory().subscribe("a", "market.*");
        assert_eq!(nobody.start().await.err().unwrap().code, Code::BadAgent);
        let all = Engine::in_memory().on("a", |_: Sold| async { Ok(()) }).subscribe("a", "**");
        assert_eq!(all.start().await.err().unwrap().code, Code::BadAgent);
    });
}
