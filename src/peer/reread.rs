//! Another configuration for a server that runs: what of it counts at once.
//!
//! Not here: which keys these are (config/keys.rs), what is said of the others (cli/reread.rs).

use std::rc::Rc;

use super::core::Peer;
use super::io::Output;
use crate::base::Now;
use crate::config::ServerConfig;
use crate::server;

impl Peer {
    pub(super) fn on_reread(&mut self, now: Now, new: ServerConfig) {
        let config = Rc::make_mut(&mut self.config);
        config.four_letter_words = new.four_letter_words;
        config.max_client_cnxns = new.max_client_cnxns;
        let (limits, changed) = (&mut config.limits, new.limits);
        limits.connections_max = changed.connections_max;
        limits.outstanding_max = changed.outstanding_max;
        limits.large_request_threshold = changed.large_request_threshold;
        limits.large_requests_bytes_max = changed.large_requests_bytes_max;
        limits.connection_throttle = changed.connection_throttle;
        let takes_trace_mask = self.config.admits_word("stmk");
        self.queue.push(Output::ClientWords { takes_trace_mask });
        let limits = server::Input::Limits(Rc::clone(&self.config));
        self.step_service(now, limits);
    }
}
