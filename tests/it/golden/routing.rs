//! What is recorded of requests that were routed.

use super::*;

pub(super) fn events() -> Vec<RunEvent> {
    let agents = vec![
        RoutedAgent { name: AgentName::new("dns_specialist"), score: Share::of(0.741) },
        RoutedAgent { name: AgentName::new("azure_architect"), score: Share::of(0.3) },
    ];
    let routed = Routed {
        domain: Domain::Cloud,
        category: Category::Troubleshooting,
        complexity: 9,
        confidence: Share::of(0.62),
        strategy: Strategy::Coordinator,
        agents,
    };
    vec![RequestRouted::of(Payload::Blob(blob("query")), routed).into()]
}

/// A row of the table has one file: the bytes of all other words are held here.
#[test]
fn the_words_of_routing_are_written_as_ever() {
    fn bytes<T: serde::Serialize>(words: &[T]) -> Vec<u8> {
        words.iter().flat_map(|word| codec::to_bytes(word).unwrap()).collect()
    }
    let words = |texts: Vec<&'static str>| texts.join(" ");
    assert_eq!(bytes(Domain::ALL), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(
        words(Domain::ALL.iter().map(|word| word.text()).collect()),
        "infra security data web cloud ops testing planning communication general"
    );
    assert_eq!(bytes(Category::ALL), [0, 1, 2, 3, 4]);
    assert_eq!(
        words(Category::ALL.iter().map(|word| word.text()).collect()),
        "question task analysis planning troubleshooting"
    );
    assert_eq!(bytes(Strategy::ALL), [0, 1, 2, 3]);
    assert_eq!(
        words(Strategy::ALL.iter().map(|word| word.text()).collect()),
        "single_agent swarm chain coordinator"
    );
}
