//! Every refusal has its status, its member and its time to wait.
use super::*;

fn told(why: impl Into<Error>) -> (u16, &'static str, Option<u64>) {
    let why = why.into();
    let key = if why.is_about_identity() { "msg" } else { "error" };
    let response = why.into_response();
    let wait = response.headers().get(RETRY_AFTER).and_then(|it| it.to_str().ok()?.parse().ok());
    assert_eq!(response.status() == 401, response.headers().contains_key(WWW_AUTHENTICATE));
    (response.status().as_u16(), key, wait)
}

#[test]
fn tokens_are_refused_as_clients_of_the_first_versions_know_it() {
    assert_eq!(told(Denied::Missing), (401, "msg", None));
    assert_eq!(told(Denied::Expired), (401, "msg", None));
    assert_eq!(told(Denied::Renewal), (422, "msg", None));
    assert_eq!(told(Denied::Signature), (422, "msg", None));
    assert_eq!(told(Denied::Malformed), (422, "msg", None));
    assert_eq!(told(Denied::Unavailable), (503, "msg", Some(5)));
    assert_eq!(Error::from(Denied::Expired).to_string(), "Token has expired");
}

#[test]
fn what_the_store_says_becomes_a_sentence_without_its_cause() {
    assert_eq!(told(store::Error::Busy), (503, "error", Some(5)));
    assert_eq!(told(store::Error::Full), (507, "error", None));
    assert_eq!(told(store::Error::Unavailable), (503, "error", Some(5)));
    let cause = store::Error::Internal("geheim".into());
    assert!(!Error::from(cause).to_string().contains("geheim"));
    assert_eq!(told(AddError::NoConversation), (404, "error", None));
    assert_eq!(told(AddError::KeyReused), (409, "error", None));
    assert_eq!(told(PutError::TooLarge(5)), (413, "error", None));
    assert_eq!(told(PutError::Full), (507, "error", None));
    assert_eq!(told(PutError::BrokenOff(FormError::TooSlow.into())), (408, "error", None));
    assert_eq!(told(PutError::BrokenOff("geheim".into())), (500, "error", None));
}

#[test]
fn a_rate_tells_how_long_to_wait_in_whole_seconds() {
    let why = Exceeded {
        rate: quadrille_identity::Rate::Requests,
        retry_after: Duration::from_millis(1200),
    };
    assert_eq!(told(why), (429, "error", Some(2)));
}
