//! Health and status need no token.
use quadrille_core::{Admission, Holder};
use serde_json::json;

use crate::{bed::Bed, client::Client};

#[tokio::test]
async fn everybody_may_see_that_it_is_there() {
    let bed = Bed::jwt().await;
    let nobody = Client::nobody(&bed);
    let topic = "room:@general".parse().unwrap();
    let peer = [127, 0, 0, 1].into();
    let (user, holder) = (Some("ann".into()), Holder::guest(peer));
    let admission = Admission { protocol: "test", user, holder, peer };
    let session = bed.core.sessions.admit(admission).unwrap();
    let seat = bed.core.presence.join(&topic, session.info());
    bed.core.hub.open(&topic).unwrap();
    let health = nobody.get("/health").await;
    assert_eq!(health.status, 200);
    let health = health.json();
    assert_eq!((&health["status"], &health["rooms"]), (&json!("healthy"), &json!(1)));
    assert_eq!(health["active_connections"], 0);
    assert!(health["service"].is_string() && health["service_info"].is_object());
    let status = nobody.get("/api/v1/status").await.json();
    assert_eq!((&status["status"], &status["uptime"]), (&json!("running"), &json!("running")));
    assert_eq!(
        (&status["rooms"], &status["room_count"], &status["active_connections"]),
        (&json!({}), &json!(1), &json!(0)),
        "names are for those who may enter"
    );
    assert!(status["version"].is_string());
    drop(seat);
    assert_eq!(nobody.get("/api/v1/status").await.json()["room_count"], 0);
}
