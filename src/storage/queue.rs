//! What a driver of this folder is asked for, in order.
//!
//! Not here: what becomes of a request (`driver.rs`, `floor.rs`).

use std::collections::VecDeque;

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::mpsc::error::TryRecvError;

/// Requests in order; what was taken too early waits in front.
pub(super) struct Queue<T> {
    requests: UnboundedReceiver<T>,
    taken: VecDeque<T>,
}

impl<T> Queue<T> {
    pub(super) fn new(requests: UnboundedReceiver<T>) -> Queue<T> {
        Queue { requests, taken: VecDeque::new() }
    }

    pub(super) fn put_back(&mut self, request: T) {
        self.taken.push_front(request);
    }

    pub(super) async fn next(&mut self) -> Option<T> {
        match self.taken.pop_front() {
            Some(request) => Some(request),
            None => self.requests.recv().await,
        }
    }

    /// The next request if it is here and `wanted`; otherwise it stays.
    pub(super) fn next_if(&mut self, wanted: impl FnOnce(&T) -> bool) -> Option<T> {
        if self.taken.is_empty() {
            match self.requests.try_recv() {
                Ok(request) => self.taken.push_back(request),
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return None,
            }
        }
        if wanted(self.taken.front()?) { self.taken.pop_front() } else { None }
    }
}
