//! The topics of a hub, as operators page through them.
use quadrille_core::{Hub, Policy, Since};

use crate::{following, hub, publish, topic};

fn names(hub: &Hub, after: Option<&str>, limit: usize) -> Vec<String> {
    hub.topics(after, limit).iter().map(|info| info.topic.to_string()).collect()
}

#[tokio::test]
async fn pages_hold_every_topic_once_in_the_order_of_names() {
    let hub = hub(Policy::default());
    let mut all: Vec<_> = (0..500).map(|n| topic(&n.to_string())).collect();
    for topic in &all {
        publish(&hub, topic, 0).await;
    }
    all.sort();
    let (mut listed, mut after) = (Vec::new(), None);
    loop {
        let page = names(&hub, after.as_deref(), 7);
        let Some(last) = page.last() else { break };
        after = Some(last.clone());
        listed.extend(page);
    }
    assert_eq!(listed, all.iter().map(ToString::to_string).collect::<Vec<_>>());
    assert_eq!((names(&hub, Some("room:99"), 9), names(&hub, None, 0)), (vec![], vec![]));
}

#[tokio::test]
async fn a_topic_is_listed_with_what_it_holds_and_who_follows_it() {
    let (hub, topic) = (hub(Policy::default()), topic("1"));
    let readers = [(); 2].map(|()| following(&hub, &topic, Since::Now));
    for n in 0..3 {
        publish(&hub, &topic, n).await;
    }
    let held = hub.history(&topic, Since::Start, 9).unwrap();
    let listed = hub.topics(None, 9);
    let it = &listed[0];
    assert_eq!((listed.len(), &it.topic, it.at), (1, &topic, held.at));
    let bytes = held.records.iter().map(|record| record.size()).sum();
    assert_eq!((it.readers, it.records, it.bytes), (readers.len(), 3, bytes));
}
