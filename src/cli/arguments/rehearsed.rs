//! What the tests of workflows take.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(in crate::cli) struct TestArguments {
    /// The files of the tests
    #[arg(required_unless_present = "life")]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// Only tests whose names hold this text
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) only: Option<String>,
    /// How many tests run at once [default: as many as the machine has processors]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub(in crate::cli) jobs: Option<u32>,
    /// Write the results into this file, as JUnit XML
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) junit: Option<PathBuf>,
    // The process of one test, which is told on stdin what to do: nothing happens without that.
    #[arg(long, hide = true, conflicts_with_all = ["files", "only", "jobs", "junit"])]
    pub(in crate::cli) life: bool,
}
