//! Socket.IO, protocol 5: packets of every type, and what is said in between.
use e2e::{Gateway, Sio, sio::Way};
use serde_json::{Value, json};

/// The packet is `44` of this namespace, with this message.
fn refused(packet: &str, namespace: &str, message: &str) {
    let data = packet.strip_prefix(&format!("44{namespace}")).map(serde_json::from_str::<Value>);
    let Some(Ok(data)) = data else { panic!("not 44{namespace}: {packet}") };
    assert_eq!(data, json!({"message": message}));
}

#[tokio::test]
async fn a_client_is_let_in_and_greeted() {
    let gateway = Gateway::start(&[]).await;
    for way in Way::ALL {
        // With a payload, without one, and with one that is somebody else's.
        for payload in ["", "{}", r#"{"token":null,"a":[1]}"#, "[]", "rubbish", "/,", "{"] {
            let mut client = Sio::open(&gateway, way).await;
            client.send(&format!("40{payload}")).await;
            let packet = client.packet().await;
            let sid: Value = serde_json::from_str(packet.strip_prefix("40").expect("CONNECT"))
                .expect("an object");
            assert_ne!(sid["sid"], client.hello["sid"], "nobody else learns the session's id");
            let status = json!({
                "connected": true, "message": "Connected to HAZoom WebSocket", "sid": sid["sid"],
            });
            assert_eq!(client.expect("status").await, status);
            // It is the one that operators see.
            let all = gateway.get("/api/v1/sessions").await.json();
            let all = all["sessions"].as_array().expect("a list").clone();
            let mut mine = all.iter().filter(|it| it["id"] == sid["sid"]);
            assert_eq!(mine.next().map(|it| &it["protocol"]), Some(&json!("rooms")));
            assert_eq!(client.settled().await, [""; 0]);
        }
    }
}

#[tokio::test]
async fn there_is_one_namespace() {
    let gateway = Gateway::start(&[]).await;
    for way in Way::ALL {
        let mut client = Sio::open(&gateway, way).await;
        client.send("40/foo,").await;
        refused(&client.packet().await, "/foo,", "Invalid namespace");
        client.send(r#"40/foo?token=t,{"token":"t"}"#).await;
        refused(&client.packet().await, "/foo,", "Invalid namespace");
        client.sign_in(&json!({})).await;
        client.send("40/ünï").await;
        refused(&client.packet().await, "/ünï,", "Invalid namespace");
        // What is said elsewhere is said to nobody, and leaving there is not leaving here.
        let packets = ["42/foo,7[\"e\"]", "41/foo,", "43/foo,7[]", "44/foo,{}", "42/foo,[\"e\"]"];
        for packet in packets {
            client.send(packet).await;
        }
        let heard = client.settled().await;
        assert!(heard.iter().all(|it| it.starts_with("42[\"error\"")), "{heard:?}");
        client.send("42/,7[\"e\"]").await;
        assert_eq!(client.packet().await, "437[]");
    }
}

#[tokio::test]
async fn a_second_connect_changes_nothing() {
    let gateway = Gateway::start(&[]).await;
    for way in Way::ALL {
        let mut client = Sio::connected(&gateway, way, &json!({"user_id": "7"})).await;
        client.send("40").await;
        client.send(r#"40{"user_id":"8"}"#).await;
        assert_eq!(client.settled().await, [""; 0]);
        let all = gateway.get("/api/v1/sessions").await.json().to_string();
        assert!(all.contains(r#""user":"7""#) && !all.contains(r#""user":"8""#), "{all}");
    }
}

#[tokio::test]
async fn events_before_the_connect_and_after_the_end_are_ignored() {
    let gateway = Gateway::start(&[]).await;
    let mut member = Sio::guest(&gateway).await;
    member.ask("join_room", &json!({"room": "den"})).await;
    member.expect("room_joined").await;
    for way in Way::ALL {
        let mut client = Sio::open(&gateway, way).await;
        let says = r#"421["message",{"room":"den","message":"too soon"}]"#;
        for packet in [says, "42[\"e\"]", "41", "437[]", "450-[\"e\"]", "44{}"] {
            client.send(packet).await;
        }
        client.sign_in(&json!({})).await;
        client.ask("join_room", &json!({"room": "den"})).await;
        member.expect("room_joined").await;
        client.send("41").await;
        client.send(says).await;
        client.send("40").await;
        client.send(says).await;
        // The one after all of these.
        let mut other = Sio::guest(&gateway).await;
        other.ask("message", &json!({"room": "den", "message": "next"})).await;
        assert_eq!(member.expect("new_message").await["message"], "next");
        // It has left the room, and hears nothing more.
        client.send("1").await;
        let (heard, _) = client.ended().await;
        let late = heard.iter().filter(|it| !it.contains("room_joined"));
        assert_eq!(late.collect::<Vec<_>>(), [""; 0]);
        member.ask("get_stats", &json!({})).await;
        assert_eq!(member.expect("stats").await["rooms"], json!({"den": 1}));
    }
}

#[tokio::test]
async fn who_does_not_wait_for_the_connect_is_answered_each_time() {
    let gateway = Gateway::start(&[]).await;
    for way in Way::ALL {
        for n in 0..50 {
            let mut client = Sio::open(&gateway, way).await;
            let payload = json!({"user_id": n}).to_string();
            let event = r#"421["join_room",{"room":"den"}]"#.to_owned();
            client.send_all(&[format!("40{payload}"), event]).await;
            assert!(client.packet().await.starts_with("40{"), "{way:?} {n}");
            assert_eq!(client.expect("connected").await["user_id"], n.to_string());
            client.expect("status").await;
            assert_eq!(client.expect("room_joined").await["room"], "den");
            assert!(client.packet().await.starts_with("431["), "{way:?} {n}");
        }
    }
}

#[tokio::test]
async fn every_event_that_asks_is_acknowledged_once() {
    let gateway = Gateway::start(&[]).await;
    for way in Way::ALL {
        let mut client = Sio::connected(&gateway, way, &json!({"user_id": "7"})).await;
        for id in ["0", "1", "4294967296", "9007199254740993", "18446744073709551615", "007"] {
            client.send(&format!("42{id}[\"e\",{{}}]")).await;
            let id: u64 = id.parse().expect("a number");
            assert_eq!(client.packet().await, format!("43{id}[]"));
        }
        let events = [
            ("join_room", json!({"room": "den"})),
            ("join_room", json!({"conversation_id": 999})),
            ("message", json!({"room": "den", "message": "m"})),
            ("typing", json!({"room": "den", "is_typing": true})),
            ("typing", json!({"conversation_id": 999})),
            ("get_stats", Value::Null),
            ("broadcast", json!({"message": "m"})),
            ("llm_request", json!({"message": "m"})),
            ("cancel", json!({"room": "den"})),
            ("send_message", json!({"message": "m", "conversation_id": 999})),
            ("watch", json!({"topic": "chan:c"})),
            ("unwatch", json!({"topic": "chan:c"})),
            ("auth_refresh", json!({"token": "t"})),
            ("leave_room", json!({"room": "den"})),
            ("leave_room", json!({"conversation_id": 999})),
            ("client_activity", json!({"at": 1})),
            ("pose_start", json!({})),
        ];
        // With what they take, and with everything else.
        let rubbish =
            [json!(null), json!([]), json!("x"), json!(7), json!({"room": 7, "topic": 7})];
        for (name, payload) in &events {
            for payload in rubbish.iter().chain([payload]) {
                let answer = client.ask(name, payload).await;
                assert!(answer.as_array().expect("a list").len() < 2, "{name} {payload}: {answer}");
            }
        }
        // And without any argument, or with too many.
        for (id, (name, _)) in (100..).zip(&events) {
            for event in [json!([name]), json!([name, {}, 1, [2]])] {
                client.send(&format!("42{id}{event}")).await;
                while !client.packet().await.starts_with(&format!("43{id}[")) {}
            }
        }
    }
}

#[tokio::test]
async fn a_binary_event_is_answered_with_why_it_is_not_taken() {
    let gateway = Gateway::start(&[]).await;
    let why = "binary attachments are not accepted; upload files over HTTP";
    for way in Way::ALL {
        let mut client = Sio::connected(&gateway, way, &json!({})).await;
        let placeholder = |num: u32| json!({"_placeholder": true, "num": num});
        let two = json!(["upload", placeholder(0), {"file": placeholder(1)}]);
        client.send(&format!("452-13{two}")).await;
        client.send_binary(&[1, 2, 3]).await;
        client.send("3").await;
        client.send_binary(&[]).await;
        let told = [
            format!("42{}", json!(["error", {"message": why}])),
            format!("4313{}", json!([{"error": why}])),
        ];
        assert_eq!(client.settled().await, told);
        // What does not become whole is forgotten.
        client.send(&format!("452-13{two}")).await;
        client.send_binary(&[1]).await;
        assert_eq!(client.settled().await, [""; 0]);
        client.send_binary(&[2]).await;
        assert_eq!(client.settled().await, [""; 0]);
        // Without an acknowledgement, with none to come, and with one that nobody waits for.
        client.send(&format!("451-{}", json!(["upload", placeholder(0)]))).await;
        client.send_binary(&[0xFF; 1000]).await;
        assert_eq!(client.expect("error").await, json!({"message": why}));
        client.send("450-14[\"e\"]").await;
        assert_eq!(client.packet().await, "4314[]");
        client.send_binary(&[9]).await;
        assert_eq!(client.settled().await, [""; 0]);
    }
}

#[tokio::test]
async fn acknowledgements_and_errors_of_clients_mean_nothing() {
    let gateway = Gateway::start(&[]).await;
    for way in Way::ALL {
        let mut client = Sio::connected(&gateway, way, &json!({})).await;
        client.send("431[]").await;
        client.send(r#"4318446744073709551615["a"]"#).await;
        client.send(r#"461-7[{"_placeholder":true,"num":0}]"#).await;
        client.send_binary(&[1]).await;
        assert_eq!(client.settled().await, [""; 0]);
        client.send(r#"44{"message":"no"}"#).await;
        assert_eq!(client.settled().await.len(), 1, "it is told that this is the server's");
    }
}

#[tokio::test]
async fn what_is_no_packet_ends_the_connection_as_in_the_original() {
    let gateway = Gateway::start(&[]).await;
    let bad = ["4abc", "4", "42{}", "42[]", "42abc[\"e\"]", "42[\"e\"", "45[\"e\"]", "42[{}]"];
    for way in Way::ALL {
        for packet in bad {
            let mut client = Sio::connected(&gateway, way, &json!({})).await;
            client.send(packet).await;
            client.ended().await;
        }
        let mut client = Sio::open(&gateway, way).await;
        client.send("4abc").await;
        client.ended().await;
        // What can be read and is of no use is told, and the connection goes on.
        let mut client = Sio::connected(&gateway, way, &json!({})).await;
        let long = format!("42[\"{}\"]", "e".repeat(300));
        for packet in [&*long, "42[7]", "44{}", "4517-[\"e\"]"] {
            client.send(packet).await;
            client.expect("error").await;
        }
        assert_eq!(client.settled().await, [""; 0]);
    }
}

#[tokio::test]
async fn a_thousand_quick_events_are_done_in_order() {
    const EVENTS: usize = 1000;
    let gateway = Gateway::start(&[]).await;
    let mut member = Sio::guest(&gateway).await;
    member.ask("join_room", &json!({"room": "den"})).await;
    member.expect("room_joined").await;
    for way in Way::ALL {
        let mut client = Sio::connected(&gateway, way, &json!({"user_id": "7"})).await;
        // Some of them wait for the database.
        let packets: Vec<_> = (0..EVENTS)
            .map(|n| match n % 3 {
                0 => format!("42{n}{}", json!(["message", {"room": "den", "message": n}])),
                1 => format!("42{n}{}", json!(["join_room", {"conversation_id": n}])),
                _ => format!("42{n}[\"e\"]"),
            })
            .collect();
        let send = async { client.send_all(&packets).await };
        let listen = async {
            let mut heard = Vec::new();
            while heard.len() < EVENTS.div_ceil(3) {
                heard.push(member.expect("new_message").await["message"].clone());
            }
            heard
        };
        let ((), heard) = tokio::join!(send, listen);
        assert!(
            heard.iter().eq((0..EVENTS).step_by(3).map(|n| json!(n)).collect::<Vec<_>>().iter())
        );
        let mut acked = Vec::new();
        while acked.len() < EVENTS {
            let packet = client.packet().await;
            let id = packet.strip_prefix("43").and_then(|it| it.split_once('['));
            acked.extend(id.map(|(id, _)| id.parse::<usize>().expect("an id")));
        }
        assert!(acked.iter().copied().eq(0..EVENTS), "{way:?}: {acked:?}");
    }
}
