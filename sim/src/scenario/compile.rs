//! From a file to a [`Scenario`]: every value checked, every mistake with its place.
//!
//! Not here: what a section means by itself (`ensemble.rs`, `workload.rs`, `chaos.rs`, `swarm`).

use std::path::{Path, PathBuf};
use std::time::Duration;

use quorate::base::{Epoch, Exhibit, Museum, ServerId, Zxid};
use toml::Spanned;

use super::action::{Action, Line};
use super::cases::{self, Case};
use super::chaos::Chaos;
use super::ensemble::{DiskContent, Ensemble};
use super::error::{FileError, Source};
use super::frame::{self, Frame};
use super::order::Declared;
use super::reader::{Reader, Text};
use super::swarm::Drawn;
use super::workload::Workload;
use crate::grammar::lexer::duration;
use crate::grammar::{Names, unknown_word};
use crate::world::SOCKET_BUFFER;

/// A scenario file, understood.
#[derive(Clone, Debug)]
pub struct Scenario {
    pub file: PathBuf,
    /// All of the file.
    pub text: String,
    pub about: String,
    pub source: String,
    pub ensemble: Ensemble,
    /// Least and most time a frame travels.
    pub latency: (Duration, Duration),
    /// Bytes a second from one server to another; `None` is no limit.
    pub bandwidth: Option<u64>,
    /// How much may be under way and unread in one direction of a connection.
    pub socket_buffer: usize,
    /// Least and most time an fsync takes, its bytes apart.
    pub fsync: (Duration, Duration),
    /// Bytes a second that a disk reads and makes durable; `None` is no limit.
    pub throughput: Option<u64>,
    pub workload: Option<Workload>,
    pub chaos: Option<Chaos>,
    /// What a seed has drawn, if the file has [swarm]: everything else here is that already.
    pub drawn: Option<Drawn>,
    pub museum: Vec<Exhibit>,
    /// Properties of which one must fail: the file shows a bug, and that it is caught.
    pub violates: Vec<String>,
    /// The seed this scenario is about; any, if it says none.
    pub seed: Option<u64>,
    /// Properties held in a stronger form than ZooKeeper promises: C-3.
    pub strict: Vec<String>,
    /// False where the ensemble cannot be available: the file says so, and the liveness
    /// deadlines do not run.
    pub liveness: bool,
    /// What the file tells, all its cases: the runner takes them one by one.
    pub cases: Vec<Case>,
}

impl Scenario {
    pub fn load(file: &Path) -> Result<Scenario, FileError> {
        compile(&Source::read(file)?)
    }

    pub fn parse(file: &Path, text: &str) -> Result<Scenario, FileError> {
        compile(&Source { file: file.to_owned(), text: text.to_owned() })
    }

    /// Whether bytes take time.
    pub fn moves_slowly(&self) -> bool {
        self.bandwidth.is_some() || self.throughput.is_some()
    }

    /// The scenario of this seed: where the file has [swarm], with everything that it draws.
    pub fn drawn(&self, seed: u64) -> Result<Scenario, FileError> {
        if self.drawn.is_none() {
            return Ok(self.clone());
        }
        let source = Source { file: self.file.clone(), text: self.text.clone() };
        let drawn = compile_drawn(&source, Some(seed))?;
        // Exhibits may have been switched on since.
        Ok(Scenario { museum: self.museum.clone(), ..drawn })
    }
}

fn compile(source: &Source) -> Result<Scenario, FileError> {
    compile_drawn(source, None)
}

/// With what this seed draws; without a seed, where [swarm] draws, with the least of everything.
fn compile_drawn(source: &Source, seed: Option<u64>) -> Result<Scenario, FileError> {
    let mut frame: Frame = toml::from_str(&source.text).map_err(|e| source.toml_error(&e))?;
    let reader = Reader { source };
    let swarm = reader.swarm(&frame)?;
    let drawn = swarm.map(|swarm| swarm.draw(seed));
    drawn.iter().for_each(|drawn| drawn.put_into(&mut frame));
    let starts = drawn.as_ref().map_or(&[][..], |drawn| &drawn.starts);
    let scenario = reader.scenario(frame, starts)?;
    Ok(Scenario { drawn, ..scenario })
}

impl Reader<'_> {
    /// `starts`: lines that come before those of the file.
    fn scenario(&self, mut frame: Frame, starts: &[Line]) -> Result<Scenario, FileError> {
        let ensemble = match &frame.ensemble {
            Some(ensemble) => self.ensemble(ensemble)?,
            None => return Err(self.at(&(0..0), "expected a section [ensemble]")),
        };
        let latency = self.range(frame.network.latency.as_ref(), (1, 5))?;
        let fsync = self.range(frame.disk.fsync.as_ref(), (1, 3))?;
        let bandwidth = self.byte_rate(frame.network.bandwidth.as_ref())?;
        let socket_buffer = self.bytes(frame.network.socket_buffer.as_ref())?;
        let throughput = self.byte_rate(frame.disk.throughput.as_ref())?;
        if let Some(text) = &frame.network.connect_timeout {
            return Err(self.wrong(text, 0, "connect_timeout cannot be set yet"));
        }
        let texts = self.the_timeline(&mut frame)?;
        let cases = self.cases(&frame, &ensemble, latency, starts, &texts)?;
        let length = cases.iter().map(|case| case.duration).max().unwrap_or_default();
        let workload = match &frame.workload {
            Some(w) => Some(self.workload(w, length)?),
            None => None,
        };
        let chaos = match &frame.chaos {
            Some(c) => Some(self.chaos(c, length)?),
            None => None,
        };
        Ok(Scenario {
            file: self.source.file.clone(),
            text: self.source.text.clone(),
            about: frame.about.into_inner().trim().to_owned(),
            source: frame.source.map(Spanned::into_inner).unwrap_or_default(),
            museum: self.museum(frame.museum.as_deref().unwrap_or(&[]))?,
            violates: frame
                .violates
                .unwrap_or_default()
                .into_iter()
                .map(Spanned::into_inner)
                .collect(),
            seed: frame.seed.as_ref().map(|seed| self.seed(seed)).transpose()?,
            strict: self.strict(frame.strict.as_deref().unwrap_or(&[]))?,
            liveness: self.liveness(frame.liveness.as_ref())?,
            ensemble,
            latency,
            bandwidth,
            socket_buffer: socket_buffer.map_or(SOCKET_BUFFER, |bytes| bytes as usize),
            fsync,
            throughput,
            workload,
            chaos,
            drawn: None,
            cases,
        })
    }

    /// The timeline stands at the top of the file or, so that a file reads from the setting to what
    /// happens, as the last key of [ensemble] or [network].
    fn the_timeline(&self, frame: &mut Frame) -> Result<Vec<Text>, FileError> {
        let places = [
            frame.timeline.take(),
            frame.ensemble.as_mut().and_then(|ensemble| ensemble.timeline.take()),
            frame.network.timeline.take(),
        ];
        let mut found: Vec<Vec<Text>> = places.into_iter().flatten().collect();
        match found.len() {
            0 => Ok(Vec::new()),
            1 => Ok(found.remove(0)),
            _ => {
                let at = found[1].first().map_or(0, |text| text.span().start);
                Err(self.source.error(at, "a file has one timeline, this is the second"))
            }
        }
    }

    fn lines(&self, names: &Names, texts: &[Text]) -> Result<Vec<Line>, FileError> {
        let mut lines = Vec::new();
        let mut declared = Declared::default();
        for text in texts {
            let line = names.line(text.get_ref()).map_err(|m| self.mistake(text, &m))?;
            for action in &line.actions {
                declared.check(action).map_err(|(word, message)| {
                    let at = text.get_ref().find(&word).unwrap_or(0);
                    self.wrong(text, at, message)
                })?;
            }
            let place = self.source.error(text.span().start, "");
            lines.push(Line { place: (place.line, place.column), ..line });
        }
        Ok(lines)
    }

    fn cases(
        &self,
        frame: &Frame,
        ensemble: &Ensemble,
        latency: (Duration, Duration),
        starts: &[Line],
        texts: &[Text],
    ) -> Result<Vec<Case>, FileError> {
        let duration = self.optional(frame.duration.as_ref())?;
        let mut names = Names { servers: ensemble.servers(), variable: None };
        if let Some(boundary) = &frame.boundary {
            return self.boundary(boundary, ensemble, latency, &mut names, texts, duration);
        }
        // The starts in front: what else is said of their time is said of servers that run.
        let lines = [starts.to_vec(), self.lines(&names, texts)?].concat();
        let Some(orders) = &frame.start_orders else {
            return Ok(vec![Case::new(String::new(), lines, duration)]);
        };
        self.one_of(&orders.of, &["all voters"])?;
        self.one_of(&orders.expect_leader, &["best of the first quorum"])?;
        let voters: Vec<ServerId> = ensemble.voters.iter().copied().collect();
        let at = self.source.error(orders.of.span().start, "");
        let best = |order: &[ServerId]| best_of_first_quorum(ensemble, order);
        let gap = self.duration(&orders.gap)?;
        Ok(cases::start_orders(&voters, gap, best, &lines, (at.line, at.column)))
    }

    fn boundary(
        &self,
        boundary: &frame::Boundary,
        ensemble: &Ensemble,
        latency: (Duration, Duration),
        names: &mut Names,
        texts: &[Text],
        duration: Option<Duration>,
    ) -> Result<Vec<Case>, FileError> {
        let value = self.formula(&boundary.at, ensemble, latency)?;
        let delta = self.duration(&boundary.delta)?;
        if delta > value {
            return Err(self.wrong(&boundary.delta, 0, "delta is larger than the boundary"));
        }
        let check_at = self.duration(&boundary.check_at)?;
        let vary = boundary.vary.get_ref();
        let sides =
            [(value - delta, &boundary.expect_below), (value + delta, &boundary.expect_above)];
        let mut cases = Vec::new();
        for (value, expect) in sides {
            names.variable = Some((vary.clone(), value));
            let mut lines = self.lines(names, texts)?;
            lines.push(self.expectation(names, expect, check_at)?);
            let name = cases::boundary_name(vary, value);
            cases.push(Case::new(name, lines, duration));
        }
        Ok(cases)
    }

    /// `expect_below` and `expect_above` are what follows `expect` in a timeline.
    fn expectation(&self, names: &Names, text: &Text, at: Duration) -> Result<Line, FileError> {
        let clauses = names.expectations(text.get_ref()).map_err(|m| self.mistake(text, &m))?;
        let place = self.source.error(text.span().start, "");
        let line = Line::at(at, Action::Expect(clauses));
        Ok(Line { place: (place.line, place.column), ..line })
    }

    /// A sum of times, `finalize_wait` and `latency`, each with a factor if wanted.
    fn formula(
        &self,
        text: &Text,
        ensemble: &Ensemble,
        latency: (Duration, Duration),
    ) -> Result<Duration, FileError> {
        let mut total = Duration::ZERO;
        let mut offset = 0;
        for term in text.get_ref().split('+') {
            let at = offset + term.len() - term.trim_start().len();
            let mut words = term.split_whitespace();
            let first = words.next().unwrap_or("");
            let (factor, name) = match first.parse::<f64>() {
                Ok(factor) => (factor, words.next().unwrap_or("")),
                Err(_) => (1.0, first),
            };
            if !(0.0..=1000.0).contains(&factor) {
                return Err(self.wrong(text, at, "expected a factor from 0 to 1000"));
            }
            let value = match name {
                "finalize_wait" => ensemble.finalize_wait,
                "latency" if latency.0 == latency.1 => latency.0,
                "latency" => {
                    let message = "a boundary needs one latency, not a range of it";
                    return Err(self.wrong(text, at, message));
                }
                other => duration(other).ok_or_else(|| {
                    self.wrong(text, at, "expected `finalize_wait`, `latency` or a time")
                })?,
            };
            if words.next().is_some() {
                return Err(self.wrong(text, at, "expected `+` between the terms"));
            }
            total += value.mul_f64(factor);
            offset += term.len() + 1;
        }
        Ok(total)
    }

    fn museum(&self, texts: &[Text]) -> Result<Vec<Exhibit>, FileError> {
        let known: Vec<&str> = Exhibit::ALL.iter().map(|exhibit| exhibit.name()).collect();
        let mut exhibits = Vec::new();
        for text in texts {
            let exhibit = Museum::named(text.get_ref()).ok_or_else(|| {
                self.wrong(text, 0, unknown_word("exhibit", text.get_ref(), &known))
            })?;
            exhibits.push(exhibit);
        }
        Ok(exhibits)
    }

    fn seed(&self, seed: &Spanned<i64>) -> Result<u64, FileError> {
        let wrong = |_| self.at(&seed.span(), "expected a seed: 0 or more");
        u64::try_from(*seed.get_ref()).map_err(wrong)
    }

    fn strict(&self, texts: &[Text]) -> Result<Vec<String>, FileError> {
        for text in texts {
            self.one_of(text, &["C-3"])?;
        }
        Ok(texts.iter().map(|text| text.get_ref().clone()).collect())
    }

    fn liveness(&self, text: Option<&Text>) -> Result<bool, FileError> {
        let Some(text) = text else { return Ok(true) };
        self.one_of(text, &["required", "unavailable"])?;
        Ok(text.get_ref() == "required")
    }
}

/// The first servers of this order that are a quorum, and of them the one whose vote wins:
/// highest current epoch, then last zxid, then id; weight 0 never wins.
fn best_of_first_quorum(ensemble: &Ensemble, order: &[ServerId]) -> ServerId {
    let size = (1..=order.len()).find(|n| ensemble.is_quorum(&order[..*n])).unwrap_or(order.len());
    let key = |server: &ServerId| {
        let disk = ensemble.disks.get(server);
        let epoch = disk.map_or(Epoch(0), |disk| disk.current_epoch);
        (ensemble.weight(*server) > 0, epoch, disk.map_or(Zxid::ZERO, DiskContent::last), *server)
    };
    let best = order[..size].iter().max_by_key(|server| key(server));
    *best.expect("an order has at least one server")
}

#[cfg(test)]
#[path = "compile_test.rs"]
mod tests;
