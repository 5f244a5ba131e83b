//! The providers of models: whether they can be reached, and whether their keys are there. None is asked for anything, so nothing
//! is spent.

use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use super::Check;
use crate::config::Config;
use crate::executors::llm::models::{Key, Provider};

/// How long a connection may take: long enough for another continent.
const CONNECT_WAIT: Duration = Duration::from_secs(3);

pub(super) fn check(config: &Config) -> Vec<Check> {
    config.models.providers.iter().map(|(name, provider)| one(name, provider, config)).collect()
}

fn one(name: &str, provider: &Provider, config: &Config) -> Check {
    let check = format!("provider {name}");
    if let Err(problem) = Key::of(name, provider) {
        return Check::wrong(
            &check,
            problem.message,
            "set it where `reenact` is started, or take `api_key_env` out",
        );
    }
    let models = config.models.models.iter().filter(|(_, model)| model.provider == name);
    let models: Vec<_> = models.map(|(name, _)| format!("`{name}`")).collect();
    match connect(&provider.base_url) {
        Ok(host) => {
            let of = if models.is_empty() { "no models".to_owned() } else { models.join(", ") };
            Check::good(&check, format!("{host} can be reached; configured of it: {of}"))
        }
        Err(why) => Check::warning(&check, why, "check its `base_url`, and the network"),
    }
}

/// Connects to the host of an address, and closes that connection; answers the host with its port.
fn connect(base_url: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(base_url).map_err(|error| format!("its address is none: {error}"))?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or_default();
    let shown = format!("{host}:{port}");
    let addresses = (host.as_str(), port).to_socket_addrs();
    let addresses = addresses.map_err(|error| format!("{shown} cannot be found: {error}"))?;
    let mut last = format!("{shown} has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, CONNECT_WAIT) {
            Ok(_) => return Ok(shown),
            Err(error) => last = format!("{shown} cannot be reached: {error}"),
        }
    }
    Err(last)
}
