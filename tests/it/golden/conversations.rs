//! The events and commands of conversations, and a page of an archive: a file for each that was ever written.

use reenact::aggregates::conversation::archive::{Archived, Content, Page};
use reenact::aggregates::conversation::{Add, Compression, Conversation, ConversationAsk, NewTurn, RECORDS};
use reenact::events::conversation::{
    ConversationCompressed, ConversationEvent, Role, TurnAdded, TurnPinned, TurnUnpinned, Window, WindowSet,
};
use reenact::events::ids::TurnNumber;
use reenact::events::json::Blob;
use reenact::kernel::{Aggregate, Draft, ReadBlob, Recalling, Recording};
use reenact::testing::MemoryBlobs;

use super::*;

const WINDOW: Window =
    Window { tokens: 32_768, compress_above: 26_214, target: 16_384, summary: 3_276, keep_last: 8 };

fn added() -> TurnAdded {
    TurnAdded {
        turn: TurnNumber(300),
        role: Role::Tool,
        name: Some(AgentName::new("ada")),
        pinned: true,
        tokens: 70_000,
        content: inline("\"It is 7.\""),
    }
}

fn page() -> Page {
    let turn = |turn: u64, content: Content| Archived {
        turn: TurnNumber(turn),
        role: Role::Assistant,
        name: Some(AgentName::new("ada")),
        at: Timestamp(1_700_000_000_000_000),
        tokens: 12,
        content,
        words: vec!["databas".to_owned(), "oslo".to_owned()],
    };
    let turns = vec![turn(298, Content::Text("Short.".to_owned())), turn(299, Content::Blob(blob("long")))];
    Page { previous: Some(blob("page before")), turns }
}

fn compressed(page: BlobRef) -> ConversationCompressed {
    ConversationCompressed {
        by: "extraction".into(),
        archived: vec![TurnNumber(298), TurnNumber(299)],
        page,
        summary: inline("\"[298 assistant] Short.\""),
        summary_tokens: 11,
        tokens_before: 26_300,
        tokens_after: 16_000,
    }
}

fn events() -> Vec<ConversationEvent> {
    vec![
        WindowSet { window: WINDOW }.into(),
        added().into(),
        TurnPinned { turn: TurnNumber(300) }.into(),
        TurnUnpinned { turn: TurnNumber(300) }.into(),
        compressed(blob("page")).into(),
    ]
}

#[test]
fn every_event_of_a_conversation_is_written_as_ever_and_read_back() {
    for event in events() {
        let name = format!("{}.{}.bin", event.kind(), event.schema());
        let bytes = event.encode().unwrap();
        let golden = golden(&name, &bytes);
        assert_eq!(golden, bytes, "{name}: bytes changed without a new schema number");
        assert_eq!(
            ConversationEvent::decode(event.kind(), event.schema(), &golden).unwrap(),
            event,
            "{name}"
        );
    }
    let kinds: Vec<_> = events().iter().map(|event| (event.kind(), event.schema())).collect();
    assert_eq!(ConversationEvent::TABLE, kinds);
    let roles = Role::ALL.map(|role| codec::to_bytes(&role).unwrap()).concat();
    assert_eq!(golden("turn_role.1.bin", &roles), roles);
}

#[test]
fn a_page_of_an_archive_is_written_as_ever_and_read_back() {
    let json = page().to_json();
    let golden = golden("conversation_page.1.json", json.text().as_bytes());
    assert_eq!(golden, json.text().as_bytes());
    assert_eq!(Page::read_blob(&golden).unwrap(), page());
}

#[test]
fn the_commands_of_a_conversation_are_recorded_as_ever_and_recalled() {
    let stream = StreamId::new("conversation", "talk");
    let mut blobs = MemoryBlobs::default();
    let page = Blob::new(page().to_json().text().as_bytes());
    blobs.keep(&page);
    let words = vec!["databas".to_owned(), "oslo".to_owned()];
    let TurnAdded { role, name, pinned, tokens, .. } = added();
    let add = ConversationAsk::Add(Box::new(Add {
        turns: vec![NewTurn { role, name, pinned, tokens, text: "It is 7.".into() }],
        window: WINDOW,
        compression: Some(Compression {
            by: "extraction".into(),
            leaves: vec![(TurnNumber(298), words.clone()), (TurnNumber(299), words)],
            summary: Some(("[298 assistant] Short.".into(), 11)),
            after: TurnNumber(0),
            compressions: 0,
        }),
        by: "ada".into(),
    }));
    let pin = ConversationAsk::Pin { turn: TurnNumber(300), pinned: true, by: "ada".into() };
    let happened: Vec<ConversationEvent> =
        vec![WindowSet { window: WINDOW }.into(), added().into(), compressed(page.reference).into()];
    let mut recorded = Vec::new();
    for ask in [add, pin] {
        let mut state = Conversation::default();
        let mut draft = Draft::new(&mut state, &stream, Version(0), Timestamp(0));
        let form = Conversation::record(ask.clone(), &mut Recording::new(&mut draft, 0)).unwrap().unwrap();
        let name = Conversation::name(&ask);
        recorded.push((name, form.schema));
        let file = format!("command.{name}.{}.bin", form.schema);
        assert_eq!(golden(&file, &form.payload), form.payload, "{file}");
        let decision = Decision {
            command: RecordedCommand { name: name.into(), form: Some(form) },
            by: Conversation::asked_by(&ask),
            ..Decision::named(&name.into())
        };
        let state = Conversation::default();
        let recalling = Recalling { state: &state, decision: &decision, events: &happened, blobs: &blobs };
        assert_eq!(Conversation::recall(&recalling).unwrap(), ask);
    }
    assert_eq!(RECORDS, recorded);
}
