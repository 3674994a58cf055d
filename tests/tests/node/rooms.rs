//! The official client of Socket.IO, as pages load it and the newest, over every transport.
use e2e::{
    puppet::{Library, Way},
    rooms,
};

const LIBRARIES: [Library; 2] = [Library::Js47, Library::Js];

/// Runs it with each library in each way, one after the other.
async fn each(run: impl AsyncFn(Library, Way)) {
    for (library, way) in LIBRARIES.iter().flat_map(|it| Way::ALL.map(|way| (*it, way))) {
        run(library, way).await;
    }
}

#[tokio::test]
async fn a_conversation_is_seen_alike_by_who_is_in_it_and_by_nobody_else() {
    each(rooms::a_conversation).await;
}

#[tokio::test]
async fn what_asks_for_an_acknowledgement_gets_one() {
    each(rooms::acknowledgements).await;
}

#[tokio::test]
async fn named_rooms_need_no_token_and_questions_are_answered_to_who_asks() {
    each(rooms::named_rooms).await;
}

#[tokio::test]
async fn who_is_refused_is_told_why_and_does_not_come_again() {
    each(rooms::refusals).await;
}

#[tokio::test]
async fn who_is_sent_away_stays_away() {
    each(rooms::a_kick).await;
}

#[tokio::test]
async fn a_restart_brings_everybody_back() {
    each(rooms::a_restart).await;
}

#[tokio::test]
async fn a_lost_connection_is_recovered_by_the_client_itself() {
    each(rooms::a_recovery).await;
}

#[tokio::test]
async fn fifty_lost_connections_during_a_reply_lose_no_event() {
    rooms::fifty_reconnects(&LIBRARIES).await;
}
