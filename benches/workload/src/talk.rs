//! What agents say to each other: without a word of it recorded, beside bare actors; and durably, within runs, beside what the same
//! disk does of steps.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Arbiter, Context, Handler};
use anyhow::{Context as _, Result, ensure};
use reenact::prelude::{
    Code, Engine, Failure, FunctionCall, Message, MessageCall, Outcome, Outgoing, RunSpec,
};
use serde_json::{Value, json};
use tokio::sync::Semaphore;

use crate::figures::Figures;
use crate::runs::many as bare_many;

/// How long an answer may take.
const LONG: Duration = Duration::from_secs(60);

/// A message of which nothing is recorded.
struct Number(u64);

#[derive(serde::Serialize, serde::Deserialize)]
struct Told(u64);

impl Message for Told {
    const NAME: &'static str = "told";
    type Answer = u64;
}

/// Goes back and forth between two agents, and is one less each time.
#[derive(serde::Serialize, serde::Deserialize)]
struct Ball(u64);

impl Message for Ball {
    const NAME: &'static str = "ball";
    type Answer = ();
}

impl actix::Message for Number {
    type Result = u64;
}

struct Bare;

impl Actor for Bare {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        context.set_mailbox_capacity(4_096);
    }
}

impl Handler<Number> for Bare {
    type Result = u64;

    fn handle(&mut self, number: Number, _: &mut Context<Self>) -> u64 {
        number.0 + 1
    }
}

/// Messages of which nothing is recorded, beside those of bare actors right before and right after.
pub(crate) async fn ephemeral(figures: &mut Figures, messages: u64) -> Result<()> {
    let engine = Engine::in_memory().on("told", |told: Told| std::future::ready(Ok(told.0 + 1)));
    let engine = engine.start().await?;
    let agent = engine.agent("told")?;
    let tell = async || {
        let since = Instant::now();
        for n in 0..messages {
            while let Err(full) = agent.tell(Told(n)) {
                ensure!(full.code == Code::MailboxFull, "it is not told: {full}");
                tokio::task::yield_now().await;
            }
        }
        // All that were told before are handled by then.
        while let Err(full) = agent.ask(Told(0), LONG).await {
            ensure!(full.code == Code::MailboxFull, "it does not answer: {full}");
            tokio::task::yield_now().await;
        }
        Ok(messages as f64 / since.elapsed().as_secs_f64())
    };
    let asks = messages / 20 + 1;
    let ask = async || {
        let since = Instant::now();
        for n in 0..asks {
            ensure!(agent.ask(Told(n), LONG).await? == n + 1, "another answer");
        }
        Ok(asks as f64 / since.elapsed().as_secs_f64())
    };
    let before = bare(messages, asks).await?;
    let (told, asked) = (tell().await?, ask().await?);
    let after = bare(messages, asks).await?;
    figures.add("tell", "messages_per_s", told);
    figures.add("tell", "of_actix", told / f64::midpoint(before.0, after.0));
    figures.add("ask", "messages_per_s", asked);
    figures.add("ask", "of_actix", asked / f64::midpoint(before.1, after.1));
    Ok(engine.shut_down().await?)
}

/// Messages a second that a bare actor of another thread is told, and is asked.
async fn bare(messages: u64, asks: u64) -> Result<(f64, f64)> {
    let arbiter = Arbiter::new();
    let address = Bare::start_in_arbiter(&arbiter.handle(), |_| Bare);
    address.send(Number(0)).await?;
    let since = Instant::now();
    for n in 0..messages {
        let mut number = Number(n);
        while let Err(actix::dev::SendError::Full(again)) = address.try_send(number) {
            number = again;
            tokio::task::yield_now().await;
        }
    }
    address.send(Number(0)).await?;
    let told = messages as f64 / since.elapsed().as_secs_f64();
    let since = Instant::now();
    for n in 0..asks {
        ensure!(address.send(Number(n)).await? == n + 1, "another answer");
    }
    let asked = asks as f64 / since.elapsed().as_secs_f64();
    arbiter.stop();
    Ok((told, asked))
}

const GAME: &str = "name: game\nsteps: [{id: serve, agent: ping}, {id: wait, wait_for: over}]";

/// Messages that two agents send each other in each of 64 runs at once, each of them an event of its run, and the handling of each
/// in a commit; beside the steps of as many runs on the same disk.
pub(crate) async fn durable(figures: &mut Figures, dir: &Path, runs: usize, messages: u64) -> Result<()> {
    let before = bare_many(dir, runs, 64).await?.steps_per_s();
    let folder = tempfile::tempdir_in(dir)?;
    let over = Arc::new(Semaphore::new(0));
    let returns = |to: &'static str| {
        let over = Arc::clone(&over);
        move |ball: Ball, call: MessageCall| {
            let sent = match ball.0.checked_sub(1) {
                Some(left) => Outgoing::of(to, &Ball(left)).map(|ball| call.send(ball)),
                None => {
                    over.add_permits(1);
                    Ok(())
                }
            };
            std::future::ready(sent)
        }
    };
    let serve = move |_: Value, call: FunctionCall| async move {
        call.send(Outgoing::of("pong", &Ball(messages - 1))?);
        Ok::<_, Failure>(())
    };
    let engine = Engine::open(folder.path()).function("ping", serve);
    let engine = engine.on("ping", returns("pong")).on("pong", returns("ping")).start().await?;
    let spec = RunSpec::text(GAME);
    let spec = engine.resolve(spec).await.map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
    let since = Instant::now();
    let mut games = Vec::new();
    for _ in 0..64 {
        games.push(engine.run(spec.clone()).await?);
    }
    over.acquire_many(64).await.context("nobody waits for it any more")?.forget();
    let per_s = 64.0 * messages as f64 / since.elapsed().as_secs_f64();
    for game in games {
        game.signal("over", &json!(null)).await?;
        ensure!(matches!(game.outcome().await?, Outcome::Completed(_)), "a game is not over");
    }
    engine.shut_down().await?;
    let after = bare_many(dir, runs, 64).await?.steps_per_s();
    figures.add("messages", "per_s", per_s);
    figures.add("messages", "of_w1_64", per_s / f64::midpoint(before, after));
    Ok(())
}
