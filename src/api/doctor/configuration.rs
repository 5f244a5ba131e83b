//! What is configured, and whether it is in effect.

use super::{Check, Patient};
use crate::config::{Config, PROJECT_FILE};
use crate::events::problem::Problem;
use crate::executors::mask::{VALUE_BYTES_MIN, is_too_short};

pub(super) fn check(patient: &Patient, loaded: &Result<Config, Problem>) -> Vec<Check> {
    let config = match loaded {
        Ok(config) => config,
        Err(problem) => return vec![Check::problem("configuration", problem, &patient.call)],
    };
    let sources = &patient.sources;
    let user = sources.user_folder().map(|folder| folder.join("config.toml"));
    let files = user.into_iter().chain([sources.cwd.join(PROJECT_FILE)]).filter(|file| file.exists());
    let named = sources.explicit.iter().map(|file| sources.cwd.join(file));
    let files: Vec<_> = files.chain(named).map(|file| file.display().to_string()).collect();
    let says = match files.is_empty() {
        true => "the defaults hold: there is no file of yours".to_owned(),
        false => format!("read, and every key is known: {}", files.join(", ")),
    };
    let mut checks = vec![Check::good("configuration", says)];
    checks.extend(
        patient
            .untrusted
            .as_ref()
            .map(|problem| Check::problem("trust", problem, &patient.call).only_a_warning()),
    );
    checks.extend(secrets(config, patient));
    checks
}

/// Whether the secrets that are named are there, and can be masked.
fn secrets(config: &Config, patient: &Patient) -> Option<Check> {
    let (name, all) = ("secrets", config.secrets());
    let value = |secret: &String| patient.sources.env.get(secret);
    let with = |is_so: &dyn Fn(Option<&String>) -> bool| {
        let found: Vec<_> =
            all.iter().filter(|secret| is_so(value(secret))).map(|secret| format!("`{secret}`")).collect();
        (!found.is_empty()).then(|| found.join(", "))
    };
    if let Some(missing) = with(&|value| value.is_none()) {
        let hint = "set it where `reenact` is started, or take its name out of the configuration";
        return Some(Check::warning(
            name,
            format!("the configuration names {missing}, which is not set"),
            hint,
        ));
    }
    if let Some(short) = with(&|value| value.is_some_and(|value| is_too_short(value.as_bytes()))) {
        let says = format!("the value of {short} has under {VALUE_BYTES_MIN} bytes, and is not masked");
        return Some(Check::warning(name, says, "use a longer one"));
    }
    (!all.is_empty())
        .then(|| Check::good(name, format!("all {} that are named are set, and are masked", all.len())))
}
