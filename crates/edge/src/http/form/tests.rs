//! Forms that are too much in one way or another.
use futures_util::stream;

use super::*;

fn part(name: &str, value: &str) -> String {
    format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
}

/// A body that arrives in pieces of this size, without ever making who reads it wait.
fn body(text: &str, size: usize) -> FormBody {
    let pieces: Vec<_> = text
        .as_bytes()
        .chunks(size)
        .map(|chunk| Ok::<_, axum_core::Error>(chunk.to_vec()))
        .collect();
    FormBody::new(Body::from_stream(stream::iter(pieces)))
}

async fn read(source: &mut FormBody) -> Result<Vec<(String, String)>, FormError> {
    let mut form = Form::new(source, "b".to_owned(), 100);
    let mut read = Vec::new();
    while let Some(part) = form.next().await? {
        let name = part.name().unwrap_or_default().to_owned();
        if name == "skip" {
            form.skip(part).await?;
        } else {
            read.push((name, form.text(part).await?));
        }
    }
    Ok(read)
}

#[tokio::test]
async fn a_form_is_the_same_in_pieces_of_any_size() {
    let text = [part("a", "1\r\n--x"), part("b", ""), part("skip", "?"), part("ä", "ü")].concat();
    let text = text + "--b--\r\nand more";
    let expected = [("a", "1\r\n--x"), ("b", ""), ("ä", "ü")];
    let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
    for size in 1..text.len() {
        assert_eq!(read(&mut body(&text, size)).await.unwrap(), expected, "{size}");
    }
}

#[tokio::test]
async fn what_is_too_much_is_refused_before_it_is_read() {
    let many = part("a", "").repeat(MAX_PARTS + 1) + "--b--";
    assert!(matches!(read(&mut body(&many, 1000)).await, Err(FormError::Parts)));
    assert_eq!(
        read(&mut body(&(part("a", "").repeat(MAX_PARTS) + "--b--"), 9)).await.unwrap().len(),
        64
    );
    let long = part("a", &"x".repeat(MAX_TEXT / 2 + 1)).repeat(2) + "--b--";
    assert!(matches!(read(&mut body(&long, 9999)).await, Err(FormError::TooLong(MAX_TEXT))));
    let skipped = part("skip", &"x".repeat(51)).repeat(2) + "--b--";
    assert!(matches!(read(&mut body(&skipped, 9)).await, Err(FormError::TooMuch(100))));
}

#[tokio::test]
async fn the_parser_is_not_fed_more_than_it_can_make_something_of() {
    let endless = [
        format!("--b\r\nContent-Disposition: form-data; name=\"{}", "x".repeat(1 << 20)),
        "no boundary ".repeat(1 << 17),
        format!("--b{}", " ".repeat(1 << 20)),
    ];
    for text in endless {
        let mut source = body(&text, 4096);
        let read = read(&mut source).await;
        assert!(matches!(read, Err(FormError::Head | FormError::Malformed(_))), "{read:?}");
        let rest: usize =
            source.body.map(|chunk| chunk.unwrap().len()).collect::<Vec<_>>().await.iter().sum();
        assert!(text.len() - rest <= MAX_HEAD + 3 * 4096, "{} bytes were read", text.len() - rest);
    }
}

#[tokio::test]
async fn a_form_that_ends_in_the_middle_is_none() {
    let whole = part("a", "1") + "--b--";
    for end in 0..whole.len() {
        let (cut, _) = whole.split_at(end);
        let read = read(&mut body(cut, 5)).await;
        assert!(matches!(read, Err(FormError::Malformed(_))), "{cut:?}: {read:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_sends_nothing_or_too_slowly_is_not_waited_for() {
    let silent = stream::iter([Ok::<_, axum_core::Error>("--b\r\n")]).chain(stream::pending());
    let begin = Instant::now();
    let read_silent = read(&mut FormBody::new(Body::from_stream(silent))).await;
    assert!(matches!(read_silent, Err(FormError::TooSlow)), "{read_silent:?}");
    assert_eq!(begin.elapsed().as_secs(), 30);
    let head = stream::iter([Ok::<_, axum_core::Error>(
        "--b\r\nContent-Disposition: form-data; name=a\r\n\r\n",
    )]);
    let drops = head.chain(stream::unfold((), async |()| {
        sleep(Duration::from_secs(20)).await;
        Some((Ok("x"), ()))
    }));
    let begin = Instant::now();
    let read_slow = read(&mut FormBody::new(Body::from_stream(Box::pin(drops)))).await;
    assert!(matches!(read_slow, Err(FormError::TooSlow)), "{read_slow:?}");
    assert!((14..=15).contains(&(begin.elapsed().as_secs() / 60)));
}
