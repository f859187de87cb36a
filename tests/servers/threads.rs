//! The sockets of clients on threads of their own (`net.threads`).

use quorate::jute::client::{code, op};

use crate::ensemble::{Client, Plan, path_watch, pipeline_sets, set_request};

#[test]
fn clients_of_every_thread_are_served_alike_and_there_are_as_many_as_were_asked_for() {
    for threads in [0, 3] {
        let setting = format!("net.threads={threads}");
        let three = Plan::voters(&[1, 2, 3]).setting(&setting).start();
        let mut clients: Vec<Client> = (0..7).map(|n| three.client(1 + n % 3)).collect();
        clients[0].create("/a", "", 0).expect("a new node");
        for client in &mut clients {
            client.sync("/").expect("a reply");
            client.get("/a", true).expect("it is there");
        }
        pipeline_sets(&mut clients[0], "/a", 300).expect("it is there");
        // Far more than a socket holds goes to a client that reads only then.
        clients[0].set("/a", &"x".repeat(900_000)).expect("it is there");
        for client in &mut clients {
            client.sync("/").expect("a reply");
            let asked = (0..20).map(|_| client.send(op::GET_DATA, &path_watch("/a", false)));
            let asked: Vec<i32> = asked.collect::<Result<_, _>>().expect("it is open");
            for xid in asked {
                let (header, body) = client.receive().expect("a reply");
                assert_eq!((header.xid, header.err), (xid, code::OK));
                assert!(body.remaining() > 900_000);
            }
            assert_eq!(client.take_events().len(), 1, "the watch of each fired once");
        }
        for id in [1, 2, 3] {
            let names = three.server(id).threads();
            let carriers = names.iter().filter(|name| name.starts_with("clients")).count();
            assert_eq!(carriers, threads, "{names:?}");
        }
        let gone = clients.pop().expect("there are seven").drop_connection();
        let mut back = Client::reach(&three.addresses(), &gone);
        back.call(op::SET_DATA, &set_request("/a", "y")).expect("the session goes on");
    }
}
