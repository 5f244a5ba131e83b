//! The results of tests as JUnit XML, which machines that run tests read.

use std::fs;
use std::path::Path;
use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::{Differs, TestResult};
use crate::events::problem::{Code, Problem};

/// Writes them into a file.
pub(super) fn write(file: &Path, tests: &[TestResult]) -> Result<(), Problem> {
    let failed = |error: &dyn std::fmt::Display| {
        Problem::new(Code::FileNotMade, format!("`{}` cannot be written: {error}", file.display()))
    };
    let xml = report(tests).to_string().map_err(|error| failed(&error))?;
    fs::write(file, xml).map_err(|error| failed(&error))
}

/// A suite for each file, in the order of the files.
fn report(tests: &[TestResult]) -> Report {
    let mut report = Report::new("reenact");
    for of_file in tests.chunk_by(|one, other| one.file == other.file) {
        let Some(first) = of_file.first() else { continue };
        let mut suite = TestSuite::new(first.file.as_str());
        for test in of_file {
            let mut case = TestCase::new(test.name.as_str(), status(test));
            case.set_classname(test.file.as_str()).set_time(Duration::from_millis(test.duration_ms));
            suite.add_test_case(case);
        }
        report.add_test_suite(suite);
    }
    report
}

fn status(test: &TestResult) -> TestCaseStatus {
    if test.ok {
        return TestCaseStatus::success();
    }
    let kind = if test.error.is_some() { NonSuccessKind::Error } else { NonSuccessKind::Failure };
    let mut status = TestCaseStatus::non_success(kind);
    let differs =
        |Differs { what, expected, found }: &Differs| format!("{what}: expected {expected}, found {found}");
    let all: Vec<String> = test.error.iter().cloned().chain(test.differences.iter().map(differs)).collect();
    status.set_message(all.first().map_or("", String::as_str)).set_description(all.join("\n"));
    status
}
