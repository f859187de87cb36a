//! Every step of every server of a run: what came in, and what went out.
//!
//! A server is a function of its configuration, its seeds and its inputs. So what is kept here
//! drives a server again, outside of any world, and it must do the same.

use std::cell::RefCell;
use std::rc::Rc;

use quorate::base::Now;
use quorate::config::ServerConfig;
use quorate::peer::{Input, Output, StepObserver};
use quorate::server::Seeds;

/// One incarnation of a server, from its start to its end.
#[derive(Clone, Debug)]
pub struct ServerSteps {
    pub config: ServerConfig,
    pub seeds: Seeds,
    pub started: Now,
    /// The first input is [`Input::Begin`].
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub struct Step {
    pub now: Now,
    pub input: Input,
    pub outputs: Vec<Output>,
}

/// Where the steps of a run are kept. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Steps(Rc<RefCell<Vec<ServerSteps>>>);

impl Steps {
    /// What was kept since the last call, by incarnation in the order of their starts.
    pub fn take(&self) -> Vec<ServerSteps> {
        self.0.take()
    }
}

/// Keeps the steps of one incarnation, if they are wanted at all.
pub(super) struct Observer {
    steps: Option<Steps>,
    /// Which incarnation it is.
    number: usize,
}

impl Observer {
    pub(super) fn new(steps: Option<Steps>) -> Observer {
        Observer { steps, number: 0 }
    }

    fn with(&self, change: impl FnOnce(&mut ServerSteps)) {
        let Some(steps) = &self.steps else { return };
        // A process that outlives its run has nowhere to write to any more.
        if let Some(server) = steps.0.borrow_mut().get_mut(self.number) {
            change(server);
        }
    }
}

impl StepObserver for Observer {
    fn started(&mut self, now: Now, config: &ServerConfig, seeds: Seeds) {
        let Some(steps) = &self.steps else { return };
        let mut all = steps.0.borrow_mut();
        self.number = all.len();
        all.push(ServerSteps { config: config.clone(), seeds, started: now, steps: Vec::new() });
    }

    fn input(&mut self, now: Now, input: &Input) {
        self.with(|server| {
            server.steps.push(Step { now, input: input.clone(), outputs: Vec::new() });
        });
    }

    fn outputs(&mut self, outputs: &[Output]) {
        self.with(|server| {
            let step = server.steps.last_mut().expect("outputs follow an input");
            step.outputs = outputs.to_vec();
        });
    }
}
