//! How much lies below each node of a snapshot: known when the last node below it has come.
//!
//! Held are the nodes on the way down to the one that came last, and nothing else.

/// A node and all below it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub(super) struct Subtree {
    /// Of its path in the row of all paths that lead to the last node.
    path_len: usize,
    pub(super) children: u64,
    /// With itself.
    pub(super) nodes: u64,
    /// Of data.
    pub(super) bytes: u64,
    /// Which node it is in the order of the file.
    pub(super) number: u64,
}

#[derive(Default)]
pub(super) struct Subtrees {
    /// Of the innermost.
    path: String,
    open: Vec<Subtree>,
    number: u64,
}

impl Subtrees {
    /// The next node. `ended` gets each subtree that ends with it, its path and its depth.
    pub(super) fn take(
        &mut self,
        path: &str,
        bytes: usize,
        mut ended: impl FnMut(&str, usize, &Subtree),
    ) {
        while let Some(above) = self.open.last() {
            let rest = path.strip_prefix(&self.path[..above.path_len]);
            if rest.is_some_and(|rest| rest.starts_with('/')) {
                break;
            }
            self.close(&mut ended);
        }
        if let Some(parent) = self.open.last_mut() {
            parent.children += 1;
        }
        self.path.clear();
        self.path.push_str(path);
        let (path_len, bytes, number) = (path.len(), bytes as u64, self.number);
        self.number += 1;
        self.open.push(Subtree { path_len, children: 0, nodes: 1, bytes, number });
    }

    /// Nodes above the last one.
    pub(super) fn depth(&self) -> usize {
        self.open.len().saturating_sub(1)
    }

    /// No node comes behind the last one.
    pub(super) fn finish(mut self, mut ended: impl FnMut(&str, usize, &Subtree)) {
        while !self.open.is_empty() {
            self.close(&mut ended);
        }
    }

    fn close(&mut self, ended: &mut impl FnMut(&str, usize, &Subtree)) {
        let Some(subtree) = self.open.pop() else { return };
        ended(&self.path[..subtree.path_len], self.open.len(), &subtree);
        if let Some(parent) = self.open.last_mut() {
            parent.nodes += subtree.nodes;
            parent.bytes += subtree.bytes;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subtree_ends_with_the_first_node_that_is_not_below_it() {
        let mut subtrees = Subtrees::default();
        let mut ended = Vec::new();
        let mut note = |path: &str, depth: usize, of: &Subtree| {
            ended.push((path.to_owned(), depth, of.children, of.nodes, of.bytes));
        };
        for (path, bytes) in [("", 1), ("/a", 2), ("/a/b", 4), ("/a/b/c", 8), ("/ab", 16)] {
            subtrees.take(path, bytes, &mut note);
        }
        assert_eq!(subtrees.depth(), 1);
        subtrees.finish(&mut note);
        let row = |path: &str, depth, children, nodes, bytes| {
            (path.to_owned(), depth, children, nodes, bytes)
        };
        assert_eq!(
            ended,
            [
                row("/a/b/c", 3, 0, 1, 8),
                row("/a/b", 2, 1, 2, 12),
                row("/a", 1, 1, 3, 14),
                row("/ab", 1, 0, 1, 16),
                row("", 0, 2, 5, 31),
            ]
        );
    }
}
