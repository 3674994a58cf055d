//! When to ping a peer, and when to give it up.
use quadrille_core::Close;
use tokio::time::{Duration, Instant};

use super::pump::Config;

/// The signs of life of one peer.
#[derive(Debug)]
pub(crate) struct Heart {
    /// When something last came.
    heard: Instant,
    pinged: Instant,
    /// Since when it takes no data while there is some.
    stuck: Option<Instant>,
    ping_interval: Duration,
    ping_timeout: Duration,
    write_timeout: Duration,
}

/// What is due.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Due {
    Nothing,
    Ping,
    End(Close),
}

/// When to look again if nothing is configured.
const NEVER: Duration = Duration::from_hours(24);

impl Heart {
    pub(crate) fn new(config: &Config, now: Instant) -> Self {
        let Config { ping_interval, ping_timeout, write_timeout, .. } = *config;
        Self { heard: now, pinged: now, stuck: None, ping_interval, ping_timeout, write_timeout }
    }

    /// Something came from the peer, or nobody listened.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.heard = now;
    }

    /// The peer took data. That is a sign of life only if there was no room for it before: the
    /// system takes a good deal for a peer that is gone.
    pub(crate) fn moved(&mut self) {
        if self.stuck.take().is_some() {
            self.heard = Instant::now();
        }
    }

    /// The peer takes no data.
    pub(crate) fn stuck(&mut self) {
        self.stuck.get_or_insert_with(Instant::now);
    }

    /// When something may be due next.
    pub(crate) fn next(&self) -> Instant {
        let pong = self.heard < self.pinged;
        let wait = match (pong, self.ping_interval.is_zero()) {
            (true, _) => self.ping_timeout,
            (false, false) => self.ping_interval,
            (false, true) => NEVER,
        };
        let next = self.pinged + wait;
        let given_up = self.stuck.filter(|_| !self.write_timeout.is_zero());
        given_up.map_or(next, |since| next.min(since + self.write_timeout))
    }

    /// What is due at `now`; a ping counts as sent.
    pub(crate) fn due(&mut self, now: Instant) -> Due {
        let over = |since: Instant, limit: Duration| !limit.is_zero() && now >= since + limit;
        if self.stuck.is_some_and(|since| over(since, self.write_timeout)) {
            return Due::End(Close::SLOW);
        }
        if self.heard < self.pinged {
            let silent = now >= self.pinged + self.ping_timeout;
            return if silent { Due::End(Close::NO_PONG) } else { Due::Nothing };
        }
        if self.ping_interval.is_zero() {
            // Only so that the next look is in the future.
            (self.pinged, self.heard) = (now, now);
            return Due::Nothing;
        }
        if over(self.pinged, self.ping_interval) {
            self.pinged = now;
            return Due::Ping;
        }
        Due::Nothing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn heart(interval: u32, timeout: u32, write: u32) -> (Heart, Instant) {
        let config = Config {
            max_message_size: 0,
            ping_interval: SECOND * interval,
            ping_timeout: SECOND * timeout,
            write_timeout: SECOND * write,
        };
        let now = Instant::now();
        (Heart::new(&config, now), now)
    }

    /// What happens, and when in seconds, as long as there is something to wait for.
    fn beats(heart: &mut Heart, begin: Instant, answered: bool) -> Vec<(u64, Due)> {
        let mut all = Vec::new();
        for _ in 0..4 {
            let now = heart.next();
            let due = heart.due(now);
            assert!(heart.next() > now || matches!(due, Due::End(_)), "never looks again at once");
            if answered {
                heart.heard(now + SECOND / 10);
            }
            all.push(((now - begin).as_secs(), due));
        }
        all
    }

    #[test]
    fn a_peer_that_answers_is_pinged_every_interval() {
        let (mut heart, begin) = heart(30, 10, 0);
        let pings = [30, 60, 90, 120].map(|at| (at, Due::Ping));
        assert_eq!(beats(&mut heart, begin, true), pings);
    }

    #[test]
    fn a_silent_peer_is_given_up_after_the_timeout_even_if_it_exceeds_the_interval() {
        for (interval, timeout) in [(30, 10), (10, 30)] {
            let (mut heart, begin) = heart(interval, timeout, 0);
            let beats = beats(&mut heart, begin, false);
            let end = (u64::from(interval + timeout), Due::End(Close::NO_PONG));
            assert_eq!(beats.get(..2), Some([(u64::from(interval), Due::Ping), end].as_slice()));
        }
    }

    #[test]
    fn a_peer_that_takes_no_data_is_given_up_and_one_that_takes_some_is_not() {
        let (mut heart, _) = heart(0, 10, 5);
        heart.stuck();
        let at = heart.next();
        assert_eq!(heart.due(at - SECOND), Due::Nothing);
        assert_eq!(heart.due(at), Due::End(Close::SLOW));
        heart.moved();
        assert_eq!(heart.due(at), Due::Nothing);
    }

    #[test]
    fn without_an_interval_nothing_is_ever_due() {
        let (mut heart, begin) = heart(0, 10, 0);
        assert!(beats(&mut heart, begin, true).iter().all(|(_, due)| *due == Due::Nothing));
    }
}
