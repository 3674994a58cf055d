//! Rates under numbers, times and threads that nobody would choose.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
use std::{collections::VecDeque, net::IpAddr, thread, time::Duration};

use proptest::prelude::*;
use quadrille_core::Limits;
use quadrille_identity::{Payer, Quotas, Rate};
use tokio::time::{Instant, advance};

fn payer() -> Payer {
    IpAddr::from([192, 0, 2, 1]).into()
}

fn limits(per_second: u32) -> Limits {
    Limits { frames_per_second: per_second, ..Limits::default() }
}

/// Few, many, and as many as can be written.
fn rates() -> impl Strategy<Value = u32> {
    prop_oneof![1_u32..=3, 1_u32..=2000, Just(999_999_999), Just(1_000_000_001), Just(u32::MAX)]
}

/// A pause in nanoseconds, and how often it is tried after it.
fn steps() -> impl Strategy<Value = Vec<(u64, usize)>> {
    let pause = prop_oneof![
        Just(0),
        0_u64..2_000,
        0_u64..2_000_000_000,
        Just(40 * 365 * 86_400_000_000_000)
    ];
    prop::collection::vec((pause, 0_usize..300), 1..20)
}

/// No second has more than a burst and what flows in meanwhile, nobody is refused without reason,
/// and after the time that was told there is room.
async fn is_kept(rate: u32, steps: Vec<(u64, usize)>) {
    let quotas = Quotas::new(&limits(rate));
    let second = Duration::from_secs(1);
    let most = usize::try_from(rate).unwrap();
    let mut taken: VecDeque<Instant> = VecDeque::new();
    for (pause, tries) in steps {
        advance(Duration::from_nanos(pause)).await;
        for _ in 0..tries {
            let asked = quotas.take(Rate::Frames, &payer());
            let now = Instant::now();
            taken.retain(|at| now - *at < second);
            match asked {
                Ok(()) => {
                    taken.push_back(now);
                    assert!(taken.len() <= most.saturating_mul(2), "twice {rate} in a second");
                }
                Err(refused) => {
                    assert!(taken.len() >= most, "refused after {} of {rate}", taken.len());
                    assert!(refused.retry_after <= second, "{refused:?}");
                    advance(refused.retry_after).await;
                    assert_eq!(quotas.take(Rate::Frames, &payer()), Ok(()));
                    taken.push_back(Instant::now());
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_rate_is_kept_and_honest_whatever_the_number_and_the_time(
        rate in rates(),
        steps in steps(),
    ) {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        runtime.block_on(is_kept(rate, steps));
    }
}

#[test]
fn rates_that_change_while_they_are_asked_harm_nobody() {
    let quotas = Quotas::new(&limits(1));
    thread::scope(|scope| {
        for n in 0..4_u8 {
            let quotas = &quotas;
            scope.spawn(move || {
                for m in 0..20_000_u32 {
                    let other = IpAddr::from(m.to_be_bytes()).into();
                    let payer = if n % 2 == 0 { payer() } else { other };
                    quotas.take(Rate::Frames, &payer).ok();
                    quotas.look(Rate::Frames, &payer).ok();
                }
            });
        }
        for rate in [0, 1, u32::MAX].into_iter().cycle().take(3000) {
            quotas.reload(&limits(rate));
        }
    });
    quotas.reload(&limits(1));
    assert_eq!(quotas.take(Rate::Frames, &payer()), Ok(()));
    assert!(quotas.take(Rate::Frames, &payer()).is_err());
    quotas.reload(&limits(0));
    assert_eq!(quotas.take(Rate::Frames, &payer()), Ok(()));
}
