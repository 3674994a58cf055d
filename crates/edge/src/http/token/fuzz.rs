//! Fuzz target of `cargo xtask fuzz` for the search for a token. The test replays its seeds.
use http::{HeaderMap, HeaderValue, Uri, header};

use super::{find, subprotocol};
use crate::http::Origins;

/// Checks that an agreed subprotocol was offered and is no token, and that a found token was sent. Lines: the
/// subprotocols, an authorization, an address.
pub fn places(data: &[u8]) {
    let mut lines = data.splitn(3, |byte| *byte == b'\n');
    let mut line = || lines.next().unwrap_or_default();
    let (offer, authorization, address) = (line(), line(), line());
    let mut headers = HeaderMap::new();
    let names = [(header::SEC_WEBSOCKET_PROTOCOL, offer), (header::AUTHORIZATION, authorization)];
    for (name, value) in names {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            headers.append(name, value);
        }
    }
    if let Some(agreed) = subprotocol(&headers) {
        let agreed = agreed.to_str().expect("a word is ASCII");
        let offer = String::from_utf8_lossy(offer);
        let mut offered = offer.split(',').map(str::trim);
        assert!(offered.any(|entry| entry == agreed) && !agreed.starts_with("quadrille.token."));
    }
    let Ok(uri) = Uri::try_from(address) else { return };
    if let Some(token) = find(&http::Method::GET, &headers, &uri, &Origins::default()) {
        let sent = [offer, authorization, address].map(|text| String::from_utf8_lossy(text));
        assert!(
            sent.iter().any(|text| text.contains(token.expose())) && !token.expose().is_empty()
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::fuzz::replay::replay;

    #[test]
    fn no_seed_makes_a_token_appear_where_there_is_none() {
        replay("places", places);
    }
}
