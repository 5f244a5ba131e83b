use std::sync::Arc;

use super::kit::{commit, stream};
use super::{Broken, holds, same, went};
use crate::events::ids::Position;
use crate::store::{AppendError, EventStore, VIEW_KEY_BYTES_MAX, VIEW_ROW_BYTES_MAX, ViewChange, ViewRow};

type Store = Arc<dyn EventStore>;

pub(super) fn set(key: &str, bytes: &str) -> ViewChange {
    ViewChange { key: key.into(), bytes: Some(bytes.into()) }
}

fn unset(key: &str) -> ViewChange {
    ViewChange { key: key.into(), bytes: None }
}

pub(super) fn row(key: &str, bytes: &str) -> ViewRow {
    ViewRow { key: key.into(), bytes: bytes.into() }
}

/// Stores three events, so that a position 3 exists: a read model is never ahead of the events.
pub(super) async fn three_events(store: &Store) -> Result<(), Broken> {
    let events = went("sealing", commit(&stream("folded"), None, &["1", "2", "3"]))?;
    went("append", store.append(events, Vec::new()).await).map(drop)
}

pub(super) async fn saved(store: &Store) -> Result<(), Broken> {
    three_events(store).await?;
    let rows = vec![set("b", "1"), set("a", "1"), set("c", "1")];
    went("save_view", store.save_view("view", Position(1), rows).await)?;
    let rows = vec![set("b", "2"), unset("c"), unset("never there")];
    went("save_view", store.save_view("view", Position(3), rows).await)?;
    same("position", &went("view_position", store.view_position("view").await)?, &Position(3))?;
    let rows = went("view_rows", store.view_rows("view", None, 10).await)?;
    same("rows", &rows, &vec![row("a", "1"), row("b", "2")])?;
    for (key, bytes) in [("b", Some(b"2".to_vec())), ("c", None), ("", None)] {
        same("one row", &went("view_row", store.view_row("view", key.as_bytes()).await)?, &bytes)?;
    }
    let long = [
        ViewChange { key: vec![b'k'; VIEW_KEY_BYTES_MAX + 1], bytes: Some(Vec::new()) },
        ViewChange { key: vec![b'k'], bytes: Some(vec![0; VIEW_ROW_BYTES_MAX + 1]) },
    ];
    for change in long {
        let refused = store.save_view("view", Position(3), vec![set("d", "3"), change]).await;
        holds("a row that is too long is refused", matches!(refused, Err(AppendError::Refused(_))))?;
    }
    let rows = went("view_rows", store.view_rows("view", None, 10).await)?;
    same("rows after refusals", &rows.len(), &2)
}

pub(super) async fn pages(store: &Store) -> Result<(), Broken> {
    three_events(store).await?;
    let keys: Vec<_> = (0..50).map(|number| format!("{number:03}")).collect();
    let rows = keys.iter().rev().map(|key| set(key, &key.repeat(300))).collect();
    went("save_view", store.save_view("view", Position(2), rows).await)?;
    let (mut found, mut after) = (Vec::new(), None::<Vec<u8>>);
    loop {
        let page = went("view_rows", store.view_rows("view", after.as_deref(), 7).await)?;
        let Some(last) = page.last() else { break };
        after = Some(last.key.clone());
        found.extend(page);
    }
    let wanted: Vec<_> = keys.iter().map(|key| row(key, &key.repeat(300))).collect();
    same("all pages", &found, &wanted)
}

pub(super) async fn apart(store: &Store) -> Result<(), Broken> {
    three_events(store).await?;
    // One's name begins with the other's.
    went("save_view", store.save_view("view", Position(1), vec![set("a", "1")]).await)?;
    went("save_view", store.save_view("views", Position(2), vec![set("a", "2")]).await)?;
    same("position", &went("view_position", store.view_position("view").await)?, &Position(1))?;
    let rows = went("view_rows", store.view_rows("view", None, 10).await)?;
    same("rows of the one", &rows, &vec![row("a", "1")])?;
    let rows = went("view_rows", store.view_rows("views", None, 10).await)?;
    same("rows of the other", &rows, &vec![row("a", "2")])
}
