//! A program with agents of its own and a compensation; the README shows it.
#![allow(clippy::print_stdout)] // It is a program.

use reenact::prelude::*;

const TRIP: &str = "
name: trip
steps:
  - {id: seat, agent: reserve, with: '{{ input }}', compensate: {agent: release}}
  - {id: pay, agent: pay, with: '{{ steps.seat.output }}'}";

#[tokio::main]
async fn main() -> Result<(), Problem> {
    let engine = Engine::open("trips")
        .function("reserve", |train: String| async move { Ok::<_, Failure>(format!("seat 7 of {train}")) })
        .function("pay", |seat: String| async move {
            Err::<(), _>(Failure::validation(format!("nobody pays for {seat}")))
        })
        .compensation("release", |undo: Undo<String>| async move {
            Ok::<_, Failure>(undo.known().map(|seat| println!("{seat} is free again")))
        })
        .start()
        .await?;
    let run = engine.run(RunSpec::text(TRIP).input("ICE 71")?).await?;
    println!("{:?}", run.outcome().await?); // Compensated(Some(…nobody pays for seat 7 of ICE 71…))
    engine.shut_down().await
}

#[test]
fn the_program_of_the_readme_runs() -> Result<(), Problem> {
    main()
}
