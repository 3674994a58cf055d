//! The topic of a user.
use crate::{BadTopic, Topic};

/// The namespace of the users' own topics.
const NAMESPACE: &str = "user";

/// The topic of `user`'s own questions. A name that has no topic is no user's name: it is empty,
/// longer than 250 bytes, or has control characters or white space other than the space.
pub fn user_topic(user: &str) -> Result<Topic, BadTopic> {
    Topic::new(NAMESPACE, user)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_user_fits_into_a_topic() {
        assert_eq!(user_topic("Ann B").unwrap().as_str(), "user:Ann B");
        assert!(user_topic(&"x".repeat(250)).is_ok());
        for bad in [String::new(), "x".repeat(251), "a\nb".to_owned()] {
            assert!(user_topic(&bad).is_err(), "{bad:?}");
        }
    }
}
