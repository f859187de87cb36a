//! `clock S rate R`, `clock S jump +1h`: a server's clocks are wrong.

use std::fmt;
use std::time::Duration;

use quorate::base::ServerId;
use serde::{Deserialize, Serialize};

use super::{AnyKind, Class, Ended, Entry, Heal, Kind, Paint, Step, Word};
use crate::grammar::lexer::duration;
use crate::grammar::show_duration;
use crate::grammar::{List, Mistake, Names, Words};
use crate::world::{RATE_ONE, World};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Clock {
    /// Both clocks run at this many times the world's speed.
    Rate { servers: Vec<ServerId>, rate: f64 },
    /// The wall clock jumps.
    Jump { servers: Vec<ServerId>, by_ms: i64 },
}

/// The farthest that a drawn jump goes, either way: an hour.
const JUMP_MS_MAX: f64 = 3_600_000.0;

pub(super) const ENTRY: Entry = Entry {
    words: &[Word { text: "clock", read }],
    classes: &[
        Class {
            name: "clock_rate",
            draw: |drawing| {
                let servers = vec![drawing.server()];
                // From half to double speed, even on a logarithmic scale.
                let rate = 2f64.powf(drawing.unit("clock rate", 0) * 2.0 - 1.0);
                let rate = (rate * 100.0).round() / 100.0;
                let undone = Clock::Rate { servers: servers.clone(), rate: 1.0 };
                Some(drawing.lasting(Clock::Rate { servers, rate }, undone))
            },
        },
        Class {
            name: "clock_jump",
            draw: |drawing| {
                let by = (drawing.unit("clock jump", 0) * 2.0 - 1.0) * JUMP_MS_MAX;
                let jump = Clock::Jump { servers: vec![drawing.server()], by_ms: by as i64 };
                Some(vec![Step::at(drawing.begins, jump)])
            },
        },
    ],
    heal: Heal::Server(|world, server| world.set_clock_rate(server, RATE_ONE)),
};

fn read(names: &Names, words: &mut Words<'_>) -> Result<Box<AnyKind>, Mistake> {
    let servers = names.servers(words)?;
    if words.take("rate") {
        let rate = words.peek().and_then(|word| word.parse::<f64>().ok());
        let Some(rate) = rate.filter(|rate| (0.05..=20.0).contains(rate)) else {
            return Err(words.expected("a rate from 0.05 to 20"));
        };
        words.take_next();
        return Ok(Clock::Rate { servers, rate }.into());
    }
    if !words.take("jump") {
        return Err(words.expected("`rate` or `jump`"));
    }
    let text = words.peek().unwrap_or("");
    let size = text.strip_prefix(['+', '-']).and_then(duration);
    let Some(size) = size else { return Err(words.expected("a jump such as `+1h`")) };
    words.take_next();
    let by_ms = i64::try_from(size.as_millis()).unwrap_or(i64::MAX);
    let by_ms = if text.starts_with('-') { -by_ms } else { by_ms };
    Ok(Clock::Jump { servers, by_ms }.into())
}

impl Kind for Clock {
    fn apply(&self, world: &World) {
        match self {
            Clock::Rate { servers, rate } => {
                let rate = (RATE_ONE as f64 * rate) as u64;
                servers.iter().for_each(|server| world.set_clock_rate(*server, rate));
            }
            Clock::Jump { servers, by_ms } => {
                servers.iter().for_each(|server| world.jump_wall_clock(*server, *by_ms));
            }
        }
    }

    fn servers(&self) -> &[ServerId] {
        let (Clock::Rate { servers, .. } | Clock::Jump { servers, .. }) = self;
        servers
    }

    fn servers_mut(&mut self) -> Option<&mut Vec<ServerId>> {
        let (Clock::Rate { servers, .. } | Clock::Jump { servers, .. }) = self;
        Some(servers)
    }

    fn round(&mut self, to: &dyn Fn(Duration) -> Duration) {
        if let Clock::Jump { by_ms, .. } = self {
            let size = to(Duration::from_millis(by_ms.unsigned_abs()));
            *by_ms = by_ms.signum() * size.as_millis() as i64;
        }
    }

    fn paint(&self) -> Paint {
        match self {
            Clock::Rate { rate, .. } if *rate != 1.0 => Paint::Span,
            Clock::Rate { .. } | Clock::Jump { .. } => Paint::Moment,
        }
    }

    fn ended_by<'a>(&self, later: &'a AnyKind) -> Ended<'a> {
        match later.as_kind() {
            Some(Clock::Rate { servers, .. }) => Ended::Servers(servers),
            _ => Ended::Nothing,
        }
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Clock::Rate { servers, rate } => write!(f, "clock {} rate {rate}", List(servers)),
            Clock::Jump { servers, by_ms } => {
                let size = Duration::from_millis(by_ms.unsigned_abs());
                let sign = if *by_ms < 0 { '-' } else { '+' };
                write!(f, "clock {} jump {sign}{}", List(servers), show_duration(size))
            }
        }
    }
}
