use super::*;

const A: ConnId = ConnId(1);
const B: ConnId = ConnId(2);
const C: ConnId = ConnId(3);
const MIB: usize = 1024 * 1024;

fn outflow(change: impl FnOnce(&mut ClientLimits)) -> Outflow {
    let mut limits = ClientLimits { pending_responses_bytes_max: 8 * MIB, ..Default::default() };
    change(&mut limits);
    Outflow::new(&limits)
}

#[test]
fn no_reply_is_longer_than_a_quarter_of_what_may_be_on_the_way() {
    assert_eq!(outflow(|_| {}).reply_bytes_max(), 2 * MIB);
    assert_eq!(outflow(|limits| limits.response_bytes_max = MIB).reply_bytes_max(), MIB);
}

#[test]
fn who_does_not_read_leaves_as_much_free_as_it_has() {
    let mut outflow = outflow(|_| {});
    let (mut a, mut b) = (Sent::default(), Sent::default());
    let fill = |outflow: &mut Outflow, conn, sent: &mut Sent| {
        while outflow.has_room(sent, MIB / 4) {
            outflow.note_written(conn, sent, MIB / 4);
        }
        sent.unsent_bytes / (MIB / 4)
    };
    assert_eq!(fill(&mut outflow, A, &mut a), 16, "of 32");
    assert_eq!(fill(&mut outflow, B, &mut b), 8);
    let mut c = Sent::default();
    assert!(outflow.has_room(&c, 2 * MIB) && !outflow.has_room(&c, 2 * MIB + 1));
    outflow.note_written(C, &mut c, LITTLE_BYTES);
    assert!(!outflow.has_room(&c, 2 * MIB));
    outflow.total = 9 * MIB;
    assert!(outflow.has_room(&Sent::default(), LITTLE_BYTES), "little is always sent");
    assert!(!outflow.has_room(&Sent::default(), LITTLE_BYTES + 1));
}

#[test]
fn what_waits_for_room_is_found_once_it_fits() {
    let mut outflow = outflow(|_| {});
    let (mut a, mut b, mut c) = (Sent::default(), Sent::default(), Sent::default());
    assert!(outflow.note_written(A, &mut a, 7 * MIB), "much: it is asked");
    outflow.wait(B, &mut b, Awaits::Room(2 * MIB));
    outflow.wait(C, &mut c, Awaits::Room(3 * MIB / 2));
    assert_eq!(outflow.next_with_room(), None);
    assert!(!outflow.on_drained(A, &mut a));
    assert_eq!(outflow.next_with_room(), Some(C), "OF-2: the smallest first");
    assert!(outflow.go_on(C, &mut c) && !outflow.go_on(C, &mut c), "once");
    assert_eq!(outflow.next_with_room(), Some(B));
    outflow.forget(B, &b);
    assert_eq!((outflow.next_with_room(), outflow.total), (None, 0));
}

#[test]
fn everybody_is_asked_when_there_is_little_room() {
    let mut outflow = outflow(|_| {});
    let (mut a, mut b, mut c) = (Sent::default(), Sent::default(), Sent::default());
    assert!(!outflow.note_written(A, &mut a, MIB / 4));
    assert!(!outflow.note_written(B, &mut b, MIB / 4));
    assert_eq!(outflow.next_unasked(), None, "there is much room");
    assert!(outflow.note_written(C, &mut c, 5 * MIB));
    assert_eq!(outflow.next_unasked(), Some(A));
    assert!(outflow.ask_too(A, &mut a) && !outflow.ask_too(A, &mut a), "once");
    outflow.forget(B, &b);
    assert_eq!(outflow.next_unasked(), None);
    assert!(!outflow.note_written(A, &mut a, 1), "it is asked already");
    assert!(outflow.on_drained(A, &mut a), "what came later is asked for at once");
    assert!(!outflow.on_drained(A, &mut a));
    assert_eq!(outflow.total, 5 * MIB + MIB / 4, "OF-1: C, and B until it is gone");
    outflow.on_gone(B);
    assert_eq!(outflow.total, 5 * MIB);
}

#[test]
fn who_lets_it_lie_is_found_while_somebody_waits_for_room() {
    let mut outflow = outflow(|_| {});
    let (mut a, mut b) = (Sent::default(), Sent::default());
    outflow.set_now(Mono(0) + Duration::from_secs(5));
    assert!(outflow.note_written(A, &mut a, 7 * MIB));
    let due = Mono(0) + Duration::from_secs(5 + 10 + 7);
    assert_eq!((outflow.next_deadline(), outflow.next_unread(Mono::FAR)), (Mono::FAR, None));
    outflow.wait(B, &mut b, Awaits::Room(2 * MIB));
    assert_eq!(outflow.next_deadline(), due);
    assert_eq!(outflow.next_unread(Mono(due.0 - 1)), None);
    assert_eq!(outflow.next_unread(due), Some(A));
    outflow.forget(A, &a);
    assert_eq!(outflow.next_unread(Mono::FAR), None);
    assert_eq!(outflow.next_with_room(), None, "until it is gone");
    outflow.on_gone(A);
    assert_eq!(outflow.next_with_room(), Some(B));
}
