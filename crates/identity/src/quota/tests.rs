//! Rates at their bounds, by a clock that stands still unless it is moved.
use std::net::IpAddr;

use tokio::time::advance;

use super::*;

fn none() -> Limits {
    Limits { bad_tokens_per_minute: 0, ..Limits::default() }
}

fn address(text: &str) -> Payer {
    text.parse::<IpAddr>().unwrap().into()
}

/// How many of `tries` pass.
fn passed(quotas: &Quotas, rate: Rate, payer: &Payer, tries: usize) -> usize {
    (0..tries).filter(|_| quotas.take(rate, payer).is_ok()).count()
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_one_period_passes_and_then_one_after_each_wait_that_was_told() {
    let limits = Limits { publishes_per_second: 10, bad_tokens_per_minute: 2, ..none() };
    let quotas = Quotas::new(&limits);
    let payer = address("192.0.2.1");
    for (rate, burst, wait) in [(Rate::Publishes, 10, 100), (Rate::BadTokens, 2, 30_000)] {
        assert_eq!(passed(&quotas, rate, &payer, 20), burst);
        let wait = Duration::from_millis(wait);
        let refused = Err(Exceeded { rate, retry_after: wait });
        assert_eq!((quotas.take(rate, &payer), quotas.look(rate, &payer)), (refused, refused));
        advance(wait.checked_sub(Duration::from_nanos(1)).unwrap()).await;
        assert!(quotas.take(rate, &payer).is_err());
        advance(Duration::from_nanos(1)).await;
        assert_eq!((quotas.look(rate, &payer), passed(&quotas, rate, &payer, 9)), (Ok(()), 1));
    }
}

#[tokio::test(start_paused = true)]
async fn zero_is_no_limit_and_the_largest_number_no_defect() {
    let limits = Limits { requests_per_second: u32::MAX, frames_per_second: 1, ..none() };
    let quotas = Quotas::new(&limits);
    let payer = address("192.0.2.1");
    let passed = |rate| passed(&quotas, rate, &payer, 1000);
    assert_eq!(
        [Rate::Publishes, Rate::BadTokens, Rate::Requests, Rate::Frames].map(passed),
        [1000, 1000, 1000, 1]
    );
}

#[tokio::test(start_paused = true)]
async fn users_and_addresses_have_a_bucket_each() {
    let quotas = Quotas::new(&Limits { frames_per_second: 1, ..none() });
    let user = Arc::from("192.0.2.1");
    let at = |text: &str| text.parse().unwrap();
    let payers = [
        (Payer::new(Some(&user), at("192.0.2.1")), true),
        (Payer::new(Some(&user), at("192.0.2.2")), false),
        (Payer::new(None, at("192.0.2.1")), true),
        (Payer::new(None, at("::ffff:192.0.2.1")), false),
        (Payer::new(None, at("192.0.2.2")), true),
        (Payer::new(None, at("2001:db8::1")), true),
        (Payer::new(None, at("2001:db8::ffff:0:0:1")), false),
        (Payer::new(None, at("2001:db8:0:1::1")), true),
    ];
    for (payer, passes) in payers {
        assert_eq!(quotas.take(Rate::Frames, &payer).is_ok(), passes, "{payer:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_rate_that_changes_begins_anew_and_the_others_go_on() {
    let mut limits = Limits { requests_per_second: 1, frames_per_second: 1, ..none() };
    let quotas = Quotas::new(&limits);
    let payer = address("192.0.2.1");
    let passed = |rate| passed(&quotas, rate, &payer, 9);
    assert_eq!([Rate::Requests, Rate::Frames].map(passed), [1, 1]);
    limits.frames_per_second = 3;
    quotas.reload(&limits);
    assert_eq!([Rate::Requests, Rate::Frames].map(passed), [0, 3]);
    limits.requests_per_second = 0;
    quotas.reload(&limits);
    assert_eq!([Rate::Requests, Rate::Frames].map(passed), [9, 0]);
}

#[tokio::test(start_paused = true)]
async fn who_comes_when_there_are_too_many_shares_a_bucket_until_others_are_forgotten() {
    let limits = Limits { frames_per_second: 2, bad_tokens_per_minute: 1, ..none() };
    let quotas = Quotas::new(&limits);
    let life = Life::new();
    quotas.start(&life);
    tokio::task::yield_now().await;
    let payer = |n: u32| Payer::from(IpAddr::from(n.to_be_bytes()));
    let most = u32::try_from(bucket::MAX_PAYERS).unwrap();
    for rate in [Rate::Frames, Rate::BadTokens] {
        assert!((0..most).all(|n| quotas.take(rate, &payer(n)).is_ok()));
    }
    let newcomers = [most, most + 1, most + 2].map(payer);
    let passed = |rate| newcomers.each_ref().map(|payer| quotas.take(rate, payer).is_ok());
    assert_eq!(passed(Rate::Frames), [true, true, false]);
    assert_eq!(passed(Rate::BadTokens), [true, false, false]);
    let looks = newcomers.each_ref().map(|payer| quotas.look(Rate::BadTokens, payer).is_ok());
    assert_eq!(looks, [true; 3], "strangers share no blame");
    assert!(quotas.look(Rate::BadTokens, &payer(0)).is_err());
    tokio::time::sleep(FORGET_INTERVAL + Duration::from_millis(1)).await;
    assert_eq!(passed(Rate::Frames), [true, true, true]);
    let held = |rate| quotas.limit(rate).buckets.read().unwrap().as_ref().unwrap().len();
    assert_eq!([Rate::Frames, Rate::BadTokens].map(held), [3, bucket::MAX_PAYERS]);
    life.stopped(Duration::from_secs(1)).await;
}

#[test]
fn tasks_that_hurry_get_no_more_together_than_one_would() {
    let quotas = Quotas::new(&Limits { bad_tokens_per_minute: 1000, ..none() });
    let payer = address("192.0.2.1");
    let begin = std::time::Instant::now();
    let total: usize = std::thread::scope(|scope| {
        let tasks: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| passed(&quotas, Rate::BadTokens, &payer, 10_000)))
            .collect();
        tasks.into_iter().map(|task| task.join().unwrap()).sum()
    });
    let refilled = begin.elapsed().as_millis() / 60 + 1;
    assert!((1000..=1000 + refilled).contains(&(total as u128)), "{total}");
}
