use super::*;
use crate::events::ids::AgentName;
use crate::executors::llm::price::Prices;

fn model(provider: &str, aliases: &[&str]) -> Model {
    let prices = Prices { input: Some(1), output: Some(2), cached: None };
    let aliases = aliases.iter().map(|alias| (*alias).to_owned()).collect();
    Model { provider: provider.to_owned(), aliases, prices, ..Model::default() }
}

fn provider(wire: WireFormat) -> Provider {
    Provider { wire: Some(wire), base_url: "http://x".to_owned(), api_key_env: None }
}

fn models() -> Models {
    Models {
        default_model: Some("quick".to_owned()),
        providers: [("a", WireFormat::Anthropic), ("o", WireFormat::OpenAi)]
            .map(|(name, wire)| (name.to_owned(), provider(wire)))
            .into(),
        models: [("small".to_owned(), model("a", &["quick"])), ("large".to_owned(), model("o", &[]))].into(),
        ..Models::default()
    }
}

fn agent(settings: &[(&str, &str)]) -> AgentDefinition {
    let settings = settings.iter().map(|(key, value)| ((*key).to_owned(), Value::from(*value)));
    AgentDefinition { settings: settings.collect(), ..AgentDefinition::named(AgentName::new("writer")) }
}

fn chosen(models: &Models, settings: &[(&str, &str)]) -> Result<(String, String), Code> {
    let agent = agent(settings);
    let chosen = models.choose(&agent).map_err(|problem| problem.code)?;
    Ok((chosen.name.to_owned(), chosen.provider_name.to_owned()))
}

fn is(model: &str, provider: &str) -> Result<(String, String), Code> {
    Ok((model.to_owned(), provider.to_owned()))
}

#[test]
fn an_agent_means_a_model_by_its_name_by_an_alias_or_by_saying_nothing() {
    let mut models = models();
    assert_eq!(models.check(), Ok(()));
    assert_eq!(chosen(&models, &[]), is("small", "a"));
    assert_eq!(chosen(&models, &[("model", INHERIT)]), is("small", "a"));
    assert_eq!(chosen(&models, &[("model", "large")]), is("large", "o"));
    assert_eq!(chosen(&models, &[("model", "large"), ("provider", "a")]), is("large", "a"));
    assert_eq!(chosen(&models, &[("model", "lage")]), Err(Code::UnknownModel));
    assert_eq!(chosen(&models, &[("provider", "b")]), Err(Code::UnknownProvider));
    models.ask_all_at("o").unwrap();
    assert_eq!(chosen(&models, &[("provider", "a")]), is("small", "o"), "what a person says now wins");
    assert_eq!(models.ask_all_at("p").map_err(|problem| problem.code), Err(Code::UnknownProvider));
    models.default_model = None;
    assert_eq!(chosen(&models, &[]), Err(Code::NoModel));
}

#[test]
fn what_is_recorded_of_an_agent_names_the_model_and_not_what_that_is() {
    let mut models = models();
    let mut alone = agent(&[]);
    models.name_in(&mut alone);
    assert_eq!((alone.settings.get("model"), alone.settings.get("provider")), (Some(&"small".into()), None));
    models.ask_all_at("o").unwrap();
    let mut elsewhere = agent(&[]);
    models.name_in(&mut elsewhere);
    assert_eq!(elsewhere.settings.get("provider"), Some(&"o".into()));
    let mut lacks = agent(&[("model", "none")]);
    models.name_in(&mut lacks);
    assert_eq!(lacks.check_usable().map_err(|problem| problem.code), Err(Code::UnknownModel));
    assert!(!lacks.recorded().text().contains("lacking"), "that is of this machine");
}

#[test]
fn a_key_is_shown_nowhere() {
    assert_eq!(format!("{:?}", Key("sk-1".into())), "Key");
    let provider =
        Provider { api_key_env: Some("REENACT_NO_SUCH_VARIABLE".to_owned()), ..Provider::default() };
    let problem = Key::of("p", &provider).unwrap_err();
    assert_eq!(problem.code, Code::KeyMissing);
    assert!(problem.message.contains("`REENACT_NO_SUCH_VARIABLE`"), "{problem}");
    assert!(Key::of("p", &Provider::default()).unwrap().is_none());
}
