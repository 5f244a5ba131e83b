//! What it costs that calls of models are steps. The provider is a small server of this program; the same calls are made by a
//! plain loop over HTTP, right before and right after.

mod provider;

use std::collections::HashSet;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use reenact::aggregates::run::StartRun;
use reenact::events::ids::AgentName;
use reenact::events::json::Blob;
use reenact::events::run::RunEvent;
use reenact::executors::Executors;
use reenact::executors::llm::Asking;
use reenact::executors::llm::models::{Model, Models, Provider as Configured, WireFormat};
use reenact::executors::llm::price::Prices;
use reenact::store::sled::{SledOptions, SledStore};
use reenact::store::verify::verify;
use serde_json::json;

use crate::engine::{Engine, SLOTS, register, start_of};
use crate::figures::Figures;
use provider::Provider;

/// How long a provider thinks that is like a quick one: most take ten times as long.
const THINKS: Duration = Duration::from_millis(20);

/// How many calls are made at once where a limit is looked at, and how many answers come at once.
const AT_ONCE: usize = 200;
const STREAMS: usize = 100;

/// Adds what calls take as steps, what limits of spending take of that, and what turns of an agent that uses a tool take.
pub(crate) async fn measure(figures: &mut Figures, dir: &Path, steps: usize, each: [usize; 3]) -> Result<()> {
    calls(figures, dir, steps).await?;
    budget(figures, dir).await?;
    turns(figures, dir, each).await
}

/// Adds what a call takes as a step, one after the other, beside a plain loop: of a provider that answers at once, and of one that
/// thinks.
async fn calls(figures: &mut Figures, dir: &Path, calls: usize) -> Result<()> {
    let rows = [("model_at_once", Duration::ZERO, calls), ("model", THINKS, calls.div_ceil(4))];
    for (name, thinks, calls) in rows {
        let provider = Provider::start(thinks, Duration::ZERO)?;
        let before = plain(&provider, calls).await?;
        let took = chain(&provider, dir, calls).await?;
        let plain = f64::midpoint(before, plain(&provider, calls).await?);
        figures.add(name, "us_per_call", took);
        figures.add(name, "overhead_us", (took - plain).max(1.0));
        figures.add(name, "of_plain", took / plain);
    }
    Ok(())
}

/// How long each of so many calls takes in a plain loop, in µs.
async fn plain(provider: &Provider, calls: usize) -> Result<f64> {
    // The engine, which comes later, would choose one as well.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = reqwest::Client::new();
    let since = Instant::now();
    for number in 0..calls {
        let messages = json!([{ "role": "user", "content": prompt(number) }]);
        let body = json!({ "model": "small", "messages": messages, "stream": true });
        let asked = client.post(format!("{}/chat/completions", provider.url())).body(body.to_string());
        let answer = asked.header("content-type", "application/json").send().await?.text().await?;
        ensure!(answer.ends_with("[DONE]\n\n"), "no answer: {answer}");
    }
    Ok(since.elapsed().as_secs_f64() * 1e6 / calls as f64)
}

/// The same as steps of a run.
async fn chain(provider: &Provider, dir: &Path, calls: usize) -> Result<f64> {
    let folder = tempfile::tempdir_in(dir)?;
    let engine = open(folder.path(), provider)?;
    let steps: String = (0..calls)
        .map(|number| format!("  - {{id: s{number}, agent: writer, prompt: {:?}}}\n", prompt(number)))
        .collect();
    let start = start(&format!("name: chain\nsteps:\n{steps}"), &[])?;
    let since = Instant::now();
    engine.run(start).await?;
    let took = since.elapsed();
    engine.shut_down().await?;
    Ok(took.as_secs_f64() * 1e6 / calls as f64)
}

fn prompt(number: usize) -> String {
    format!("Write a short text about the number {number}, for somebody who has never heard of it.")
}

/// Adds how fast so many calls at once are where a run has a limit that is not met, beside one without.
async fn budget(figures: &mut Figures, dir: &Path) -> Result<()> {
    let provider = Provider::start(THINKS, Duration::ZERO)?;
    let steps: String = (0..AT_ONCE)
        .map(|number| {
            format!("  - {{id: s{number}, needs: [], agent: writer, prompt: {:?}}}\n", prompt(number))
        })
        .collect();
    let without = format!("name: fan\nsteps:\n{steps}");
    let with = format!("limits: {{calls: 100000, tokens: 1000000000, usd: 1000}}\n{without}");
    let before = fan(&provider, dir, &without).await?;
    let limited = fan(&provider, dir, &with).await?;
    let after = fan(&provider, dir, &without).await?;
    figures.add("model_budget", "speed_of_none", f64::midpoint(before, after) / limited);
    Ok(())
}

async fn fan(provider: &Provider, dir: &Path, workflow: &str) -> Result<f64> {
    let folder = tempfile::tempdir_in(dir)?;
    let engine = open(folder.path(), provider)?;
    // The connections are there already.
    engine.run(start(workflow, &[])?).await?;
    let since = Instant::now();
    engine.run(start(workflow, &[])?).await?;
    let took = since.elapsed();
    engine.shut_down().await?;
    Ok(took.as_secs_f64())
}

/// Adds what a turn of an agent that uses a tool leaves in the store, in runs of so many.
async fn turns(figures: &mut Figures, dir: &Path, turns: [usize; 3]) -> Result<()> {
    let provider = Provider::start(Duration::ZERO, Duration::ZERO)?;
    let names = [("few_bytes", "few_us"), ("more_bytes", "more_us"), ("many_bytes", "many_us")];
    for ((bytes, us), turns) in names.into_iter().zip(turns) {
        let folder = tempfile::tempdir_in(dir)?;
        let engine = open(folder.path(), &provider)?;
        let workflow = format!("name: turns\nsteps: [{{id: s, agent: writer, prompt: 'turns: {turns}'}}]");
        let since = Instant::now();
        engine.run(start(&workflow, &["work"])?).await?;
        let took = since.elapsed();
        engine.shut_down().await?;
        figures.add("turn", bytes, stored_bytes(folder.path()).await? as f64 / turns as f64);
        figures.add("turn", us, took.as_secs_f64() * 1e6 / turns as f64);
    }
    Ok(())
}

/// The length of all that is stored: commits, and the content that they refer to, each once.
async fn stored_bytes(folder: &Path) -> Result<u64> {
    let store = SledStore::open(folder, SledOptions::default())?;
    let (mut content, mut seen) = (0, HashSet::new());
    let report = verify(&store, |recorded| {
        if recorded.header.stream.kind() != "run" {
            return Ok(Vec::new());
        }
        let event: RunEvent = recorded.decode().map_err(|error| error.to_string())?;
        let blobs = event.blobs();
        let new = blobs.iter().filter(|blob| seen.insert(blob.hash));
        content += new.map(|blob| blob.size_bytes).sum::<u64>();
        Ok(blobs)
    });
    let report = report.await?;
    ensure!(report.problems.is_empty(), "the store is damaged: {:?}", report.problems);
    Ok(report.event_bytes + content)
}

/// Adds how much memory the binary takes at most while so many answers come to it at once.
pub(crate) fn streams(figures: &mut Figures, reenact: &Path, dir: &Path, streams: usize) -> Result<()> {
    let streams = streams.min(STREAMS);
    let provider = Provider::start(Duration::ZERO, Duration::from_millis(100))?;
    let folder = tempfile::tempdir_in(dir)?;
    let write = |name: &str, text: String| std::fs::write(folder.path().join(name), text);
    let steps: String = (0..streams)
        .map(|number| {
            format!("  - {{id: s{number}, needs: [], agent: writer, prompt: {:?}}}\n", prompt(number))
        })
        .collect();
    write("w.yaml", format!("name: streams\nlimits: {{parallel: {streams}}}\nsteps:\n{steps}"))?;
    std::fs::create_dir(folder.path().join("agents"))?;
    write(
        "agents/writer.md",
        format!("---\nname: writer\ndescription: Writes\nconcurrency: {streams}\n---\n"),
    )?;
    write(
        "own.toml",
        format!(
            "default_model = 'small'\n[providers.own]\nkind = 'openai'\nbase_url = '{}'\n[models.small]\nprovider = 'own'\nprice = {{ input = 1, output = 2 }}\n",
            provider.url()
        ),
    )?;
    let mut run = Command::new(reenact);
    run.args(["--data", "data", "--config", "own.toml", "run", "w.yaml", "--show", "quiet"])
        .current_dir(folder.path());
    let mut child = run.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    let mut peak_kib = 0;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        peak_kib = peak_kib.max(peak_memory_kib(child.id()).unwrap_or_default());
        std::thread::sleep(Duration::from_millis(10));
    };
    ensure!(status.success(), "the run ended with {status}");
    ensure!(provider.most_at_once() >= streams, "only {} answers came at once", provider.most_at_once());
    figures.add("streams", "peak_mb", peak_kib as f64 * 1024.0 / 1e6);
    Ok(())
}

/// The most memory that a process has had at once.
fn peak_memory_kib(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

/// An engine whose agents ask that provider.
fn open(folder: &Path, provider: &Provider) -> Result<Engine> {
    let own = Configured { wire: Some(WireFormat::OpenAi), base_url: provider.url(), api_key_env: None };
    let prices = Prices { input: Some(1_000_000), output: Some(2_000_000), cached: None };
    let small = Model { provider: "own".to_owned(), prices, ..Model::default() };
    let models = Models {
        default_model: Some("small".to_owned()),
        providers: [("own".to_owned(), own)].into(),
        models: [("small".to_owned(), small)].into(),
        ..Models::default()
    };
    let executors = Executors { asking: Arc::new(Asking::new(models)), ..Executors::default() };
    register(&executors.functions);
    Engine::open_with(folder, SLOTS, executors)
}

/// What begins a run whose agent asks a model, with these tools.
fn start(workflow: &str, tools: &[&str]) -> Result<StartRun> {
    let writer = json!({
        "name": "writer", "description": "", "executor": "llm", "concurrency": 1_000,
        "settings": { "tools": tools }, "max_turns": 100_000,
    });
    let work = json!({ "name": "work", "description": "", "executor": "function" });
    let agents = [("writer", writer), ("work", work)]
        .map(|(name, definition)| (AgentName::new(name), Blob::new(definition.to_string().as_bytes())));
    Ok(StartRun { agents: agents.into(), ..start_of(workflow).context("a workflow of models")? })
}
