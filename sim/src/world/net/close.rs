//! How connections end: closed by their process, reset, or given up by a kernel.

use std::io;

use quorate::base::Stamp;

use super::conn::Conn;
use super::event::NetEvent;
use super::state::Net;
use crate::world::handle::World;

const DRAW_RST: u64 = u64::MAX - 2;

impl Net {
    /// The process lets go of its end: FIN, or RST where bytes were unread.
    pub(super) fn close(&mut self, world: &World, id: usize, end: usize, at: Stamp) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let this = &mut conn.ends[end];
        if this.closed {
            return;
        }
        this.closed = true;
        this.process = None;
        (this.reader, this.writer) = (None, None);
        match this.has_unread() {
            true => self.abort(world, id, end, at),
            false => self.send_fin(world, id, end, at),
        }
        self.free_if_over(id);
    }

    /// The kernel forgets this end and says so.
    pub(super) fn abort(&mut self, world: &World, id: usize, end: usize, at: Stamp) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let this = &mut conn.ends[end];
        let was_gone = std::mem::replace(&mut this.gone, true);
        this.closed = true;
        this.chunks.clear();
        conn.dirs[end].mute = true;
        conn.dirs[end].unsent.clear();
        if !was_gone {
            let at = conn.dirs[end].left.max(at);
            self.send_rst(world, id, 1 - end, at);
        }
    }

    /// RST to this end. If it meets a cut, nobody learns of it.
    pub(super) fn send_rst(&mut self, world: &World, id: usize, end: usize, left: Stamp) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let (plane, dir) = (conn.plane, &mut conn.dirs[1 - end]);
        let key = dir.key.with(DRAW_RST).with(dir.resets);
        dir.resets += 1;
        let (link, behind) = (dir.link, dir.last_arrival);
        let arrives = (left + self.latency(link, plane, left, key)).max(behind);
        let arrives = world.time().not_before_now(arrives);
        world.push_net(arrives, NetEvent::RstArrives { conn: id, end, left });
    }

    pub(super) fn on_rst(&mut self, at: Stamp, id: usize, end: usize, left: Stamp) {
        let Some(conn) = self.conns.get(id) else { return };
        if !self.links[conn.dirs[1 - end].link].cut_between(conn.plane, left, at) {
            self.fail_end(id, end, at, io::ErrorKind::ConnectionReset);
        }
    }

    /// The kernel gives this end up: reads and writes fail, nothing is retransmitted.
    pub(super) fn fail_end(&mut self, id: usize, end: usize, at: Stamp, kind: io::ErrorKind) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.silence(end);
        let this = &mut conn.ends[end];
        this.error.get_or_insert((at, kind));
        this.wake_reader(at);
        this.wake_writer(at);
        self.free_if_over(id);
    }

    pub(super) fn free_if_over(&mut self, id: usize) {
        if self.conns.get(id).is_some_and(Conn::is_over) {
            self.conns.take(id);
        }
    }

    pub(super) fn peer_text(&self, world: &World, id: usize, end: usize) -> String {
        match self.conns.get(id) {
            Some(conn) => {
                format!("{}:{}", world.machine(conn.ends[1 - end].host).ip, conn.ports[1 - end])
            }
            None => String::from("closed"),
        }
    }
}
