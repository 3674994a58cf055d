//! Which answers are compressed: those whose layer this is, and no other. None that a page from
//! elsewhere could cause with somebody's token in it, or the length would tell of the content
//! (BREACH): a page that has the token may read the answer anyway, and what a cookie signs in is not
//! compressed.
use tower_http::{
    CompressionLevel,
    compression::{CompressionLayer, predicate::SizeAbove},
};

/// Below it, nothing is gained: it is one packet in any case.
const FROM: u64 = 1024;

/// With gzip, for who accepts it.
pub fn compress() -> CompressionLayer<SizeAbove> {
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(SizeAbove::new(FROM))
}
