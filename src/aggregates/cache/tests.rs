use super::*;
use crate::testing::given;

#[test]
fn each_time_that_answers_are_taken_away_is_an_event() {
    let clear = |agent: Option<&str>| CacheAsk::Clear { agent: agent.map(AgentName::new), by: "ada".into() };
    let cleared = |agent: Option<&str>| {
        CacheEvent::from(CacheCleared { agent: agent.map(AgentName::new), by: "ada".into() })
    };
    let cache = given::<AnswerCache>("cache/answers").when(clear(None)).then([cleared(None)]);
    let cache = cache.when(clear(Some("bob"))).then([cleared(Some("bob"))]);
    assert_eq!(cache.state().cleared(), 2);
    cache.when(CacheAsk::Nothing).then([]);
}
