//! The settings of an upstream in an agent's table. Only the configuration decides where an upstream
//! is, never a user.
use serde_json::{Map, Value};
use url::Url;

use crate::{BadConfig, Given, Kind, Settings};

/// Earlier turns that a question brings along unless the configuration says otherwise.
const DEFAULT_WINDOW: usize = 10;

/// The largest window that can be configured.
const MAX_WINDOW: usize = 100;

/// Fails if a key is set that the kind has no use for, so that nothing is silently ignored.
pub(super) fn check_keys(name: &str, settings: &Settings) -> Result<(), BadConfig> {
    let Settings { url, token, model, system, window, body, content, .. } = settings;
    let Settings { message_field, user_field, session_field, token_field, reply_field, .. } =
        settings;
    let Settings { idle_timeout, max_idle, .. } = settings;
    let is_cat = settings.kind == Kind::CheshireCat;
    let is_http = settings.kind == Kind::Http;
    let (openai, agui) = (settings.kind == Kind::Openai, settings.kind == Kind::Agui);
    let upstream = settings.kind != Kind::Echo;
    let keys = [
        ("url", !url.is_empty(), upstream),
        ("token", !token.is_empty(), upstream),
        ("idle_timeout", idle_timeout.is_some(), is_cat),
        ("max_idle", max_idle.is_some(), is_cat),
        ("model", !model.is_empty(), openai),
        ("system", !system.is_empty(), openai),
        ("window", window.is_some(), openai || agui),
        ("body", !body.is_empty(), openai || agui || is_http),
        ("content", content.is_some(), agui),
        ("message_field", message_field.is_some(), is_http),
        ("user_field", user_field.is_some(), is_http),
        ("session_field", session_field.is_some(), is_http),
        ("token_field", token_field.is_some(), is_http),
        ("reply_field", reply_field.is_some(), is_http),
    ];
    match keys.into_iter().find(|(_, given, used)| *given && !used) {
        None => Ok(()),
        Some((key, ..)) => {
            let expected =
                format!("expected none, because kind \"{}\" has no use for it", settings.kind);
            Err(BadConfig { key: format!("{name}.{key}"), expected })
        }
    }
}

/// The address of agent `name`, whose scheme is one of `schemes`.
pub(super) fn address(name: &str, settings: &Settings, schemes: &[&str]) -> Result<Url, BadConfig> {
    let wrong = |expected: String| Err(BadConfig { key: format!("{name}.url"), expected });
    let shape = || format!("expected an address as in {}://127.0.0.1:1865", schemes[0]);
    let Ok(url) = settings.url.parse::<Url>() else { return wrong(shape()) };
    if !schemes.contains(&url.scheme()) || !url.has_host() {
        return wrong(shape());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong(format!("expected no name and password in it; see agents.{name}.token"));
    }
    if url.fragment().is_some() {
        return wrong("expected no # in it".to_owned());
    }
    Ok(url)
}

/// The number of earlier turns that a question brings along.
pub(super) fn window(name: &str, settings: &Settings) -> Result<usize, BadConfig> {
    match settings.window.unwrap_or(DEFAULT_WINDOW) {
        window if window <= MAX_WINDOW => Ok(window),
        _ => {
            let expected = format!("expected at most {MAX_WINDOW} turns");
            Err(BadConfig { key: format!("{name}.window"), expected })
        }
    }
}

/// The constants of every request. Fails if one of them is a field that the dialect sets itself.
pub(super) fn body(
    name: &str,
    settings: &Settings,
    own: &[&str],
) -> Result<Map<String, Value>, BadConfig> {
    match settings.body.keys().find(|key| own.contains(&key.as_str())) {
        None => Ok(settings.body.clone()),
        Some(key) => {
            let expected = "expected none, because the gateway sets it itself".to_owned();
            Err(BadConfig { key: format!("{name}.body.{key}"), expected })
        }
    }
}

/// The placeholder in a constant for the level that the client asks for.
const LEVEL_PLACEHOLDER: &str = "{intelligence_level}";

/// Adds the constants to a request.
pub(super) fn add(request: &mut Value, constants: &Map<String, Value>, given: &Given) {
    if let Value::Object(request) = request {
        let level = given.level.as_deref();
        let all = constants.iter();
        request.extend(all.filter_map(|(key, value)| Some((key.clone(), filled(value, level)?))));
    }
}

/// Fills the level into a constant. A constant that is only a level is left out if there is none.
fn filled(value: &Value, level: Option<&str>) -> Option<Value> {
    match value {
        Value::String(text) if text == LEVEL_PLACEHOLDER => level.map(Value::from),
        Value::Object(members) => {
            let all = members.iter();
            let all = all.filter_map(|(key, value)| Some((key.clone(), filled(value, level)?)));
            Some(Value::Object(all.collect()))
        }
        Value::Array(items) => {
            Some(Value::Array(items.iter().filter_map(|item| filled(item, level)).collect()))
        }
        _ => Some(value.clone()),
    }
}
