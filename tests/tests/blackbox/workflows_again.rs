//! A request that is sent again, since its answer was lost, is done once.
use e2e::{
    Gateway,
    chat::{Chat, people},
    eventually, http,
    scratch::Scratch,
    token::{JWT, token},
};
use serde_json::{Value, json};

const BOT: &str = "/api/v1/chat/bot/conversations";
const WORK: &str = "/api/v1/chat/work";

async fn post(
    gateway: &Gateway,
    path: &str,
    headers: &[(&str, &str)],
    body: &Value,
) -> http::Response {
    let headers = [&[("Content-Type", "application/json")], headers].concat();
    let body = body.to_string();
    let sent = http::send(gateway.address(), "POST", path, &headers, body.as_bytes()).await;
    sent.expect("the gateway answers")
}

async fn keyed(gateway: &Gateway, path: &str, key: &str, body: &Value) -> http::Response {
    post(gateway, path, &[("Idempotency-Key", key)], body).await
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn job(answer: &http::Response) -> String {
    text(&answer.json()["data"]["job_id"])
}

fn steps(operation: &str) -> Value {
    json!({"steps": [{"operation": operation, "arguments": {}}]})
}

async fn runs(chat: &Chat) -> usize {
    chat.get("/runs").await.json()["data"]["runs"].as_array().map_or(0, Vec::len)
}

#[tokio::test]
async fn a_run_that_is_asked_for_twice_with_one_key_is_one_also_after_a_restart() {
    let home = Scratch::new();
    let at = |name: &str| home.path().join(name).display().to_string();
    let (store, files) = (format!("sqlite://{}", at("a.db")), format!("file://{}", at("files")));
    let scratch = at("scratch");
    let settings =
        [("store.url", store.as_str()), ("files.url", &files), ("workflows.scratch", &scratch)];
    let gateway = Gateway::start(&settings).await;
    let chat = Chat::create(&gateway).await;
    chat.upload("a.csv", people(3)).await;
    let body = steps("json/generate");
    let (runs_at, execute) = (chat.path("/runs"), chat.path("/execute"));
    let first = keyed(&gateway, &runs_at, "order-17", &body).await;
    assert_eq!(first.status, 202, "{}", first.body);
    // As a structured string it is the same key, and a new file makes no other request of it.
    chat.upload("b.csv", people(4)).await;
    let second = keyed(&gateway, &runs_at, "\"order-17\"", &body).await;
    assert_eq!((second.status, job(&second)), (202, job(&first)));
    let waited = keyed(&gateway, &execute, "order-17", &body).await;
    assert_eq!((waited.status, job(&waited)), (200, job(&first)), "{}", waited.body);
    assert_eq!(waited.json()["data"]["results"].as_array().unwrap().len(), 1);
    let other = keyed(&gateway, &runs_at, "order-17", &steps("csv/convert-to-excel")).await;
    assert_eq!((other.status, &other.json()["status_code"]), (409, &json!(409)));
    assert!(text(&other.json()["message"]).contains("use a new one"), "{}", other.body);
    let retry = chat.path(&format!("/runs/{}/retry", job(&first)));
    assert_eq!(keyed(&gateway, &retry, "order-17", &json!({})).await.status, 409);
    for bad in ["", "\"\"", &"k".repeat(256)] {
        let refused = keyed(&gateway, &runs_at, bad, &body).await;
        assert_eq!(refused.status, 422, "{bad:?}: {}", refused.body);
        assert!(text(&refused.json()["message"]).starts_with("Idempotency-Key"), "{bad:?}");
    }
    assert_eq!(runs(&chat).await, 1);
    gateway.stop().await;

    let gateway = Gateway::start(&settings).await;
    let chat = chat.again(&gateway);
    let third = keyed(&gateway, &chat.path("/runs"), "order-17", &body).await;
    assert_eq!((third.status, job(&third)), (202, job(&first)));
    let fresh = keyed(&gateway, &chat.path("/runs"), "order-18", &body).await;
    assert_ne!(job(&fresh), job(&first));
    assert_eq!(runs(&chat).await, 2);
    // A key belongs to its chat.
    let elsewhere = Chat::create(&gateway).await;
    elsewhere.upload("a.csv", people(3)).await;
    let there = keyed(&gateway, &elsewhere.path("/runs"), "order-17", &body).await;
    assert_ne!(job(&there), job(&first));
}

#[tokio::test]
async fn a_key_is_its_users_own() {
    let grants = [JWT[0], JWT[1]];
    let gateway = Gateway::start(&grants).await;
    let ann = token(json!({"sub": "ann", "topics": ["chat:*"]}));
    let bob = token(json!({"sub": "bob", "topics": ["chat:*"]}));
    let bearer = |token: &str| format!("Bearer {token}");
    let (ann, bob) = (bearer(&ann), bearer(&bob));
    let (at, headers) = ("/api/v1/chat/workflows", [("Authorization", ann.as_str())]);
    let made = post(&gateway, at, &headers, &json!({})).await;
    let chat = text(&made.json()["data"]["chat_id"]);
    let path = format!("/api/v1/chat/workflows/{chat}/runs");
    let body = json!({"steps": [{"operation": "o", "kind": "external"}]});
    let begin = async |who: &str| {
        let headers = [("Authorization", who), ("Idempotency-Key", "same")];
        let begun = post(&gateway, &path, &headers, &body).await;
        assert_eq!(begun.status, 202, "{}", begun.body);
        job(&begun)
    };
    let (one, other, again) = (begin(&ann).await, begin(&bob).await, begin(&ann).await);
    assert!(one == again && one != other);
}

#[tokio::test]
async fn a_run_is_tried_again_once_for_each_key() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    let outside = json!({"steps": [{"operation": "o", "kind": "external"}]});
    let begun = job(&chat.post("/runs", &outside).await);
    let (cancel, retry) =
        (format!("/runs/{begun}/cancel"), chat.path(&format!("/runs/{begun}/retry")));
    let cancelled = async || {
        chat.post(&cancel, &json!({})).await;
        eventually("the run is cancelled", async || {
            let run = chat.get(&format!("/runs/{begun}")).await.json()["data"].clone();
            (run["status"] == "cancelled").then_some(())
        })
        .await;
    };
    cancelled().await;
    assert_eq!(keyed(&gateway, &retry, "k", &json!({})).await.status, 202);
    cancelled().await;
    // It is as it stands, and is not begun once more.
    let again = keyed(&gateway, &retry, "k", &json!({})).await;
    assert_eq!((again.status, &again.json()["data"]["status"]), (202, &json!("cancelled")));
    assert_eq!(keyed(&gateway, &retry, "other", &json!({})).await.status, 202);
}

#[tokio::test]
async fn who_says_yes_twice_with_one_key_is_told_of_the_run_that_there_is() {
    let gateway = Gateway::start(&[]).await;
    let begun = post(&gateway, BOT, &[], &json!({})).await.json();
    assert_eq!(begun["message"], "Bot conversation started successfully");
    let chat = Chat::named(&gateway, begun["data"]["chat_id"].as_str().unwrap());
    let at = |rest: &str| format!("{BOT}/{}{rest}", chat.id);
    chat.upload("a.csv", people(3)).await;
    let suggest = async || {
        let wish = json!({"message": "extract columns: city"});
        let told = post(&gateway, &at("/message"), &[], &wish).await;
        assert_eq!(told.json()["data"]["requires_confirmation"], true, "{}", told.body);
    };
    suggest().await;
    let yes = json!({"confirmed": true});
    let one = keyed(&gateway, &at("/confirm"), "k1", &yes).await;
    let other = keyed(&gateway, &at("/confirm"), "k1", &yes).await;
    assert_eq!((one.status, other.status, job(&one)), (202, 202, job(&other)), "{}", other.body);
    assert_eq!(one.json()["data"], other.json()["data"]);
    let message = "Workflow submitted for background execution";
    assert_eq!(one.json()["message"], message);
    assert!(text(&one.json()["data"]["message"]).starts_with("Workflow submitted for execution. "));
    // Without a key there is nothing to confirm any more.
    let nothing = post(&gateway, &at("/confirm"), &[], &yes).await;
    assert_eq!((nothing.status, &nothing.json()["message"]), (400, &json!("Unknown error")));
    let given = json!({"confirmed": true, "modified_workflow": [{"operation": "json/generate"}]});
    assert_eq!(keyed(&gateway, &at("/confirm"), "k1", &given).await.status, 409);
    let third = keyed(&gateway, &at("/confirm"), "k2", &given).await;
    assert_eq!((third.status, runs(&chat).await), (202, 2), "{}", third.body);
    assert_eq!(job(&keyed(&gateway, &at("/confirm"), "k2", &given).await), job(&third));
    // A message is an answer, too.
    eventually("the runs to be over", async || {
        let runs = chat.get("/runs").await.json()["data"]["runs"].clone();
        let mut runs = runs.as_array().unwrap().iter();
        runs.all(|it| it["status"] == "completed").then_some(())
    })
    .await;
    suggest().await;
    let word = json!({"message": "yes"});
    let said = keyed(&gateway, &at("/message"), "k3", &word).await;
    assert_eq!(job(&keyed(&gateway, &at("/message"), "k3", &word).await), job(&said));
    assert_eq!(runs(&chat).await, 3);
    let declined = post(&gateway, &at("/confirm"), &[], &json!({"confirmed": false})).await;
    assert_eq!(declined.json()["message"], "Workflow confirmation processed");
    let odd = post(&gateway, &at("/message"), &[], &json!({"message": "xyzzy"})).await;
    assert_eq!((odd.status, &odd.json()["message"]), (200, &json!("Unknown error")));
    assert!(text(&odd.json()["data"]["bot_response"]).contains("help"), "{}", odd.body);
    let deleted = http::send(gateway.address(), "DELETE", &at(""), &[], b"").await.unwrap();
    assert_eq!(deleted.json()["message"], "Bot conversation deleted successfully");
}

#[tokio::test]
async fn a_worker_that_repeats_what_it_brought_is_told_that_it_is_there() {
    let gateway = Gateway::start(&[]).await;
    let chat = Chat::create(&gateway).await;
    let outside = json!({"operation": "o", "kind": "external"});
    let claim = async || {
        let held = post(&gateway, &format!("{WORK}/claim"), &[], &json!({"wait": 30})).await.json();
        (text(&held["data"]["claim"]), format!("{WORK}/{}", text(&held["data"]["step_id"])))
    };
    chat.post("/runs", &json!({"steps": [outside, outside, outside]})).await;
    let (held, step) = claim().await;
    let bring = async |result: &Value| {
        let headers = [("X-Claim", held.as_str())];
        post(&gateway, &format!("{step}/result"), &headers, &json!({"result": result})).await
    };
    let first = bring(&json!({"n": 1.50})).await;
    assert_eq!(first.status, 200, "{}", first.body);
    let again = bring(&json!({"n": 1.50})).await;
    assert_eq!((again.status, &again.json()["data"]), (200, &first.json()["data"]));
    let other = bring(&json!({"n": 2})).await;
    assert_eq!(other.status, 409, "{}", other.body);
    assert!(text(&other.json()["message"]).contains("another result"), "{}", other.body);

    // The same with a file.
    let (held, step) = claim().await;
    let form = async |name: &str, content: &str, result: &str| {
        let part = "--b\r\nContent-Disposition: form-data; name=";
        let body = format!(
            "{part}\"result\"\r\n\r\n{result}\r\n\
             {part}\"file\"; filename=\"{name}\"\r\n\r\n{content}\r\n--b--\r\n"
        );
        let media = [("Content-Type", "multipart/form-data; boundary=b"), ("X-Claim", &*held)];
        let path = format!("{step}/result");
        http::send(gateway.address(), "POST", &path, &media, body.as_bytes()).await.unwrap()
    };
    let first = form("out.csv", "a\n1", "{\"m\":1}").await;
    assert_eq!(first.status, 200, "{}", first.body);
    let again = form("out.csv", "a\n1", "{\"m\":1}").await;
    assert_eq!((again.status, &again.json()["data"]), (200, &first.json()["data"]));
    for (name, content, result) in [
        ("out.csv", "a\n2", "{\"m\":1}"),
        ("out2.csv", "a\n1", "{\"m\":1}"),
        ("out.csv", "a\n1", "{\"m\":2}"),
    ] {
        assert_eq!(form(name, content, result).await.status, 409, "{name} {content:?} {result}");
    }

    // And where it failed.
    let (held, step) = claim().await;
    let fail = async |why: &str| {
        let headers = [("X-Claim", held.as_str())];
        post(&gateway, &format!("{step}/error"), &headers, &json!({"message": why})).await
    };
    let first = fail("no dictionary").await;
    assert_eq!(first.status, 200, "{}", first.body);
    let again = fail("no dictionary").await;
    assert_eq!((again.status, &again.json()["data"]), (200, &first.json()["data"]));
    assert_eq!(fail("something else").await.status, 409);
    let (headers, nothing) = ([("X-Claim", held.as_str())], json!({"result": {}}));
    let late = post(&gateway, &format!("{step}/result"), &headers, &nothing).await;
    assert_eq!(late.status, 409, "{}", late.body);
}
