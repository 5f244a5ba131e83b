//! What a request names: hosts, addresses, amounts of money, and numbers with units.

use std::net::IpAddr;

use serde::{Serialize, Serializer};

use super::rules::Rules;

/// How many are told of one request.
pub const ENTITIES_MAX: usize = 50;

/// How long one may be, in bytes: what is longer is none that a person would name.
const ENTITY_BYTES_MAX: usize = 253;

/// What an entity is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EntityKind {
    /// The name of a host or a domain.
    Host,
    /// An address of the internet protocol, perhaps with a prefix or a port.
    Ip,
    /// An address of a page or a service.
    Url,
    /// An address of mail.
    Email,
    /// An amount of money.
    Money,
    /// A number with its unit.
    Number,
}

impl EntityKind {
    /// The word for it.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Ip => "ip",
            Self::Url => "url",
            Self::Email => "email",
            Self::Money => "money",
            Self::Number => "number",
        }
    }
}

/// Something that a request names.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Entity {
    /// What it is.
    pub kind: EntityKind,
    /// As it stands in the request.
    pub text: String,
    /// The number, of money and of what has a unit.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "number")]
    pub value: Option<f64>,
    /// Its unit, in small letters; of money its currency, as `USD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// A whole number is written as one.
fn number<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    // Beyond that not every whole number is one of these.
    const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;
    match value {
        Some(value) if value.fract() == 0.0 && value.abs() < WHOLE_MAX => {
            serializer.serialize_i64(*value as i64)
        }
        Some(value) => serializer.serialize_f64(*value),
        None => serializer.serialize_none(),
    }
}

impl Entity {
    fn named(kind: EntityKind, text: &str) -> Self {
        Self { kind, text: text.to_owned(), value: None, unit: None }
    }
}

/// What a text names, in order; what it names twice stands once.
pub(super) fn entities(text: &str, rules: &Rules) -> Vec<Entity> {
    let pieces: Vec<&str> = text.split_whitespace().map(bare).collect();
    let (mut found, mut at): (Vec<Entity>, usize) = (Vec::new(), 0);
    while at < pieces.len() && found.len() < ENTITIES_MAX {
        let piece = pieces.get(at).copied().unwrap_or_default();
        let next = pieces.get(at + 1).copied().unwrap_or_default();
        let (entity, took) = match entity(piece, next, rules) {
            Some((entity, took)) => (Some(entity), took),
            None => (None, 1),
        };
        if let Some(entity) = entity.filter(|entity| !found.contains(entity)) {
            found.push(entity);
        }
        at += took;
    }
    found
}

/// A word without what stands around it.
fn bare(word: &str) -> &str {
    const AROUND: [char; 20] =
        ['"', '\'', '`', '(', ')', '[', ']', '{', '}', '<', '>', ',', ';', '!', '?', '|', '“', '”', '‘', '’'];
    let word = word.trim_matches(AROUND);
    // A star may stand for any name below a domain; others make a text bold.
    let word = if word.starts_with("*.") { word } else { word.trim_matches('*').trim_matches(AROUND) };
    word.trim_end_matches(['.', ':', ',', '*'])
}

/// What a word is, perhaps together with the next one, and how many words that took.
fn entity(piece: &str, next: &str, rules: &Rules) -> Option<(Entity, usize)> {
    if piece.is_empty() || piece.len() > ENTITY_BYTES_MAX {
        return None;
    }
    if let Some(found) = amount(piece, next, rules) {
        return Some(found);
    }
    let kind = address(piece, rules)?;
    Some((Entity::named(kind, piece), 1))
}

fn address(piece: &str, rules: &Rules) -> Option<EntityKind> {
    if let Some((scheme, rest)) = piece.split_once("://") {
        let is_scheme =
            !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+');
        return (is_scheme && !rest.is_empty()).then_some(EntityKind::Url);
    }
    if is_ip(piece) {
        return Some(EntityKind::Ip);
    }
    if let Some((user, host)) = piece.split_once('@') {
        let is_mail = !user.is_empty() && is_host(host, rules);
        return is_mail.then_some(EntityKind::Email);
    }
    let (host, path) = piece.split_once('/').map_or((piece, None), |(host, path)| (host, Some(path)));
    let (host, port) = host.split_once(':').map_or((host, None), |(host, port)| (host, Some(port)));
    let has_port = port.is_none_or(|port| port.parse::<u16>().is_ok());
    (has_port && is_host(host, rules)).then_some(if path.is_some() {
        EntityKind::Url
    } else {
        EntityKind::Host
    })
}

fn is_ip(piece: &str) -> bool {
    let (address, prefix) =
        piece.split_once('/').map_or((piece, None), |(address, prefix)| (address, Some(prefix)));
    let has_prefix = prefix.is_none_or(|prefix| prefix.parse::<u8>().is_ok_and(|bits| bits <= 128));
    let is_address = address.parse::<IpAddr>().is_ok() && address.len() > 2;
    has_prefix && is_address || piece.parse::<std::net::SocketAddr>().is_ok()
}

/// Whether it is a name of two parts or more of which the last is one of letters, and no ending of files.
fn is_host(name: &str, rules: &Rules) -> bool {
    let name = name.strip_prefix("*.").unwrap_or(name);
    let parts: Vec<&str> = name.split('.').collect();
    let is_part = |part: &&str| {
        let fits = part.chars().all(|letter| letter.is_alphanumeric() || matches!(letter, '-' | '_'));
        !part.is_empty() && part.len() <= 63 && fits && !part.starts_with('-') && !part.ends_with('-')
    };
    let Some(last) = parts.last() else { return false };
    let is_top =
        last.chars().count() >= 2 && last.chars().all(char::is_alphabetic) || last.starts_with("xn--");
    let is_sentence = parts.iter().any(|part| part.chars().next().is_some_and(char::is_uppercase))
        && parts.len() == 2
        && last.chars().next().is_some_and(char::is_uppercase)
        && !name.chars().all(|letter| !letter.is_lowercase());
    parts.len() >= 2
        && parts.iter().all(is_part)
        && is_top
        && !is_sentence
        && !rules.files.contains(&last.to_lowercase())
        && parts.iter().any(|part| part.chars().count() >= 2 && part != last)
}

/// An amount of money, or a number with a unit.
fn amount(piece: &str, next: &str, rules: &Rules) -> Option<(Entity, usize)> {
    let small = piece.to_lowercase();
    // `USD 500`
    if let Some(currency) = rules.currencies.get(&small)
        && let Some((value, "")) = of_money(next)
    {
        return Some((money(&format!("{piece} {next}"), value, currency), 2));
    }
    let sign = rules
        .currencies
        .iter()
        .filter(|(sign, _)| small.starts_with(sign.as_str()))
        .max_by_key(|(sign, _)| sign.len());
    if let Some((sign, currency)) = sign
        && let Some((value, rest)) = small.get(sign.len()..).and_then(of_money)
        && (rest.is_empty() || rest.starts_with(['/', '-', '+', '–']))
    {
        return Some((money(piece, value, currency), 1));
    }
    let next_small = next.to_lowercase();
    if let (Some((value, "")), Some(currency)) = (of_money(&small), rules.currencies.get(&next_small)) {
        return Some((money(&format!("{piece} {next}"), value, currency), 2));
    }
    let (value, rest) = quantity(&small)?;
    let (unit, took) =
        if rest.is_empty() { (next_small.as_str(), 2) } else { (rest.trim_start_matches('-'), 1) };
    let text = if took == 2 { format!("{piece} {next}") } else { piece.to_owned() };
    if let Some(currency) = rules.currencies.get(unit) {
        return Some((money(&text, value, currency), took));
    }
    let unit = unit.split('/').next().unwrap_or(unit);
    rules.units.contains(unit).then(|| {
        let number =
            Entity { kind: EntityKind::Number, text, value: Some(value), unit: Some(unit.to_owned()) };
        (number, took)
    })
}

fn money(text: &str, value: f64, currency: &str) -> Entity {
    Entity {
        kind: EntityKind::Money,
        text: text.to_owned(),
        value: Some(value),
        unit: Some(currency.to_owned()),
    }
}

/// The number with which a text begins, and what follows it: `5,000.50`, `20k`. What follows is left as it is,
/// unless it is a letter for thousands.
fn quantity(text: &str) -> Option<(f64, &str)> {
    let end = text
        .find(|letter: char| !(letter.is_ascii_digit() || matches!(letter, '.' | ',' | '_')))
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    let digits = digits.trim_end_matches([',', '.']);
    if !digits.starts_with(|letter: char| letter.is_ascii_digit()) || digits.matches('.').count() > 1 {
        return None;
    }
    let value: f64 = digits.replace([',', '_'], "").parse().ok()?;
    let (factor, rest) = match rest.strip_prefix(['k', 'K']) {
        Some(after) if after.is_empty() || after.starts_with(['/', '-', '+']) => (1e3, after),
        _ => (1.0, rest),
    };
    value.is_finite().then_some((value * factor, rest))
}

/// The same of money, of which there are millions: `5m` of time are minutes.
fn of_money(text: &str) -> Option<(f64, &str)> {
    let (value, rest) = quantity(text)?;
    let factors = [("million", 1e6), ("mio", 1e6), ("mn", 1e6), ("m", 1e6), ("bn", 1e9)];
    let millions = factors.iter().find_map(|(letters, factor)| Some((factor, rest.strip_prefix(letters)?)));
    Some(millions.map_or((value, rest), |(factor, rest)| (value * factor, rest)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(EntityKind, String, Option<f64>, Option<String>)> {
        let rules = Rules::built_in().unwrap();
        entities(text, &rules)
            .into_iter()
            .map(|entity| (entity.kind, entity.text, entity.value, entity.unit))
            .collect()
    }

    #[test]
    fn hosts_and_addresses_are_told_from_files_and_sentences() {
        use EntityKind::{Email, Host, Ip, Url};
        let kinds = |text| found(text).into_iter().map(|entity| (entity.0, entity.1)).collect::<Vec<_>>();
        assert_eq!(
            kinds(
                "Point www.example.com and *.shop.example.co.uk:8443 at 10.0.0.1, 2001:db8::1 or 10.2.0.0/16."
            ),
            [
                (Host, "www.example.com".into()),
                (Host, "*.shop.example.co.uk:8443".into()),
                (Ip, "10.0.0.1".into()),
                (Ip, "2001:db8::1".into()),
                (Ip, "10.2.0.0/16".into()),
            ]
        );
        assert_eq!(
            kinds("mail ann@example.org, see https://example.com/a?b=c and example.net/docs"),
            [
                (Email, "ann@example.org".into()),
                (Url, "https://example.com/a?b=c".into()),
                (Url, "example.net/docs".into()),
            ]
        );
        assert_eq!(kinds("README.md main.rs e.g. i.e. v1.2.3 done.Next a.b node.js ... :: 1.5 @ x@y"), []);
    }

    #[test]
    fn money_and_numbers_have_values_and_units() {
        use EntityKind::{Money, Number};
        let (usd, eur) = (Some("USD".to_owned()), Some("EUR".to_owned()));
        assert_eq!(
            found("from $5,000.50 to $30K/month, 20k EUR, USD 500, €1.5m; 99 euros, 2m eur"),
            [
                (Money, "$5,000.50".into(), Some(5000.5), usd.clone()),
                (Money, "$30K/month".into(), Some(30_000.0), usd.clone()),
                (Money, "20k EUR".into(), Some(20_000.0), eur.clone()),
                (Money, "USD 500".into(), Some(500.0), usd),
                (Money, "€1.5m".into(), Some(1_500_000.0), eur.clone()),
                (Money, "99 euros".into(), Some(99.0), eur.clone()),
                (Money, "2m eur".into(), Some(2_000_000.0), eur),
            ]
        );
        let number =
            |text: &str, value, unit: &str| (Number, text.to_owned(), Some(value), Some(unit.to_owned()));
        assert_eq!(
            found("16GB of memory, 40 servers, 99.9% and 250 ms within 2 weeks; 7 dwarfs"),
            [
                number("16GB", 16.0, "gb"),
                number("40 servers", 40.0, "servers"),
                number("99.9%", 99.9, "%"),
                number("250 ms", 250.0, "ms"),
                number("2 weeks", 2.0, "weeks"),
            ]
        );
    }

    #[test]
    fn what_is_named_again_and_again_stands_once_and_no_more_than_so_many_do() {
        assert_eq!(found(&"example.com ".repeat(1000)).len(), 1);
        let many: String = (0..1000).map(|n| format!("h{n}.example.com ")).collect();
        assert_eq!(found(&many).len(), ENTITIES_MAX);
    }
}
