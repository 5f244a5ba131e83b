//! What all that is asked over HTTP has in common.

use std::error::Error;

/// A client that keeps its connections, for whoever makes more of it.
pub(super) fn client() -> reqwest::ClientBuilder {
    // Another part of the process may have chosen one before; then that one is used.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder()
        .user_agent(concat!("reenact/", env!("CARGO_PKG_VERSION")))
        // A secret goes only where the configuration says, so redirects are not followed.
        .redirect(reqwest::redirect::Policy::none())
}

/// An error with its causes: "error sending request" alone helps nobody.
pub(super) fn cause(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}
