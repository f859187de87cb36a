//! Handshakes take turns, a step each, and behind each step whatever else is ready is carried out.
//!
//! A step of a handshake signs, which takes most of a millisecond, and costs its sender a packet. The
//! executor carries out 61 tasks before the pump has another turn: as many signatures would delay
//! each of the packets that a write needs by 50 ms.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use tokio::sync::{Mutex, Notify};
use tokio::task::yield_now;

/// The turn of those who share it: the handshakes of one thread.
#[derive(Clone, Debug, Default)]
pub(in crate::runtime::os) struct Pace {
    turn: Arc<Mutex<()>>,
}

impl Pace {
    /// What it makes of `work`, each of whose polls waits for its turn.
    pub(super) async fn carry_out<T>(&self, work: impl Future<Output = T>) -> T {
        let mut work = pin!(work);
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(woken.clone());
        loop {
            let turn = self.turn.lock().await;
            let polled = work.as_mut().poll(&mut Context::from_waker(&waker));
            yield_now().await;
            drop(turn);
            if let Poll::Ready(done) = polled {
                return done;
            }
            woken.0.notified().await;
        }
    }
}

/// Remembers a wake that comes while the turn is waited for.
#[derive(Default)]
struct Woken(Notify);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use tokio::task::LocalSet;

    use super::*;

    #[test]
    fn others_have_a_turn_between_two_steps() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        LocalSet::new().block_on(&runtime, async {
            let (pace, turns) = (Pace::default(), Rc::new(Cell::new(0)));
            let other = turns.clone();
            tokio::task::spawn_local(async move {
                loop {
                    other.set(other.get() + 1);
                    yield_now().await;
                }
            });
            let works = (0..100).map(|_| {
                let (pace, turns) = (pace.clone(), turns.clone());
                tokio::task::spawn_local(async move { pace.carry_out(async { turns.get() }).await })
            });
            let mut seen = Vec::new();
            for work in works.collect::<Vec<_>>() {
                seen.push(work.await.expect("it ends"));
            }
            assert!(seen.is_sorted_by(|one, next| one < next), "{seen:?}");
        });
    }

    #[test]
    fn a_wake_during_another_ones_turn_is_not_lost() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        LocalSet::new().block_on(&runtime, async {
            let pace = Pace::default();
            let works = (0..20).map(|_| {
                let pace = pace.clone();
                let work = async {
                    for _ in 0..10 {
                        yield_now().await;
                    }
                };
                tokio::task::spawn_local(async move { pace.carry_out(work).await })
            });
            for work in works.collect::<Vec<_>>() {
                work.await.expect("it ends");
            }
        });
    }
}
