//! How long the values are that clients write, and the tree that is there before anything happens.

use bytes::Bytes;

use super::op::Op;
use crate::draw::Draws;

/// How long values are.
#[derive(Clone, Copy, Debug, Default)]
pub struct ValueSizes(pub Option<(u64, u64)>);

impl ValueSizes {
    /// Says who wrote it, and has its length: even on a logarithmic scale.
    pub(super) fn data(self, draws: &Draws, client: u64, n: u64) -> Bytes {
        let words = format!("{client}.{n}");
        match self.0 {
            None => Bytes::from(words),
            Some((low, high)) => {
                let unit = draws.unit("value bytes", client, n);
                padded(words, low as f64 * (high as f64 / low as f64).powf(unit))
            }
        }
    }
}

/// The words, and points up to this length.
fn padded(words: String, bytes: f64) -> Bytes {
    let mut data = words.into_bytes();
    data.resize(data.len().max(bytes as usize), b'.');
    data.into()
}

/// Words about values, without the points that make them long.
pub fn without_padding(words: &str) -> String {
    let mut short = String::new();
    let mut rest = words;
    while let Some(at) = rest.find(PADDING) {
        let points = rest[at..].bytes().take_while(|byte| *byte == b'.').count();
        short.push_str(&rest[..at]);
        short.push_str(&format!("..{points}.."));
        rest = &rest[at + points..];
    }
    short + rest
}

/// So many points in a row are the length of a value.
const PADDING: &str = "................";

/// The nodes of a tree that is there before anything else happens: as many as make up `total`
/// bytes.
pub fn ballast(draws: &Draws, total: u64, sizes: (u64, u64)) -> Vec<Op> {
    let mut nodes = Vec::new();
    let mut bytes = 0;
    while bytes < total {
        let data = ValueSizes(Some(sizes)).data(draws, BALLAST, nodes.len() as u64);
        bytes += data.len() as u64;
        nodes.push(Op::create(format!("/ballast-{}", nodes.len()), data));
    }
    nodes
}

/// The key of the ballast's draws.
pub const BALLAST: u64 = u64::MAX;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_say_who_wrote_them_and_have_all_lengths() {
        let (draws, sizes) = (Draws::new(3), ValueSizes(Some((10, 10_000))));
        let lens: Vec<usize> = (0..200)
            .map(|n| {
                let data = sizes.data(&draws, 7, n);
                assert!(data.starts_with(format!("7.{n}").as_bytes()));
                data.len()
            })
            .collect();
        for (from, to) in [(10, 100), (100, 1_000), (1_000, 10_001)] {
            let count = lens.iter().filter(|len| (from..to).contains(*len)).count();
            assert!((40..90).contains(&count), "{count} of {from} to {to} bytes");
        }
        assert_eq!(&ValueSizes::default().data(&draws, 7, 1)[..], b"7.1");
    }

    #[test]
    fn words_about_a_long_value_are_short() {
        let data = ValueSizes(Some((500, 500))).data(&Draws::new(3), 7, 1);
        let words =
            without_padding(&format!("{:?} ... {data:?}", Op::create("/a".into(), data.clone())));
        assert!(words.contains("b\"7.1..497..\"") && words.contains(" ... "), "{words}");
        assert_eq!(words.matches("..497..").count(), 2);
    }

    #[test]
    fn ballast_has_its_bytes_in_nodes_of_its_sizes() {
        let nodes = ballast(&Draws::new(3), 100_000, (1_000, 5_000));
        let lens: Vec<usize> = nodes
            .iter()
            .map(|op| match op {
                Op::Create(create) => create.data.len(),
                other => panic!("{other:?}"),
            })
            .collect();
        assert!((100_000..105_000).contains(&lens.iter().sum::<usize>()));
        assert!(lens.iter().all(|len| (1_000..=5_000).contains(len)));
    }
}
