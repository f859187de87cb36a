use super::super::acl_rules::AclRules;
use super::*;
use crate::base::splitmix;
use crate::jute::data::perms;

fn id(scheme: &str, id: &str) -> Id {
    Id { scheme: scheme.into(), id: id.into() }
}

fn acl(perms: i32, scheme: &str, name: &str) -> Acl {
    Acl { perms, id: id(scheme, name) }
}

#[test]
fn a_permission_is_held_by_whom_the_list_names() {
    let list = [acl(perms::READ, "world", "anyone"), acl(perms::WRITE, "digest", "bob:x")];
    assert!(check_acl(&list, perms::READ, &[]));
    assert!(!check_acl(&list, perms::WRITE, &[id("ip", "10.0.0.1"), id("digest", "bob:y")]));
    assert!(check_acl(&list, perms::WRITE, &[id("digest", "bob:x")]));
    assert!(check_acl(&list, perms::READ | perms::ADMIN, &[]), "one of the wanted is enough");
    assert!(!check_acl(&list, perms::ADMIN, &[id("digest", "bob:x")]));
    assert!(check_acl(&list, perms::ADMIN, &[id("super", "")]));
    assert!(check_acl(&[], perms::ADMIN, &[]), "an empty list is open");
}

#[test]
fn the_user_super_of_sasl_is_every_user_of_sasl() {
    let list = [acl(perms::READ, "sasl", "bob"), acl(perms::WRITE, "digest", "bob:x")];
    assert!(check_acl(&list, perms::READ, &[id("sasl", "bob")]));
    assert!(!check_acl(&list, perms::READ, &[id("sasl", "eve"), id("digest", "super")]));
    assert!(check_acl(&list, perms::READ, &[id("sasl", "super")]));
    assert!(!check_acl(&list, perms::WRITE, &[id("sasl", "super")]));
}

#[test]
fn an_address_matches_its_net() {
    for (net, address, want) in [
        ("10.1.2.3", "10.1.2.3", true),
        ("10.1.2.3", "10.1.2.4", false),
        ("10.1.0.0/16", "10.1.255.4", true),
        ("10.1.0.0/16", "10.2.0.1", false),
        ("0.0.0.0/0", "192.168.0.1", true),
        ("::/0", "192.168.0.1", false),
        ("fe80::/10", "fe80::1%eth0", true),
        ("2001:db8::/33", "2001:db8:8000::1", false),
        ("10.1.2.3", "::ffff:10.1.2.3", true),
        ("nonsense", "10.1.2.3", false),
    ] {
        let list = [acl(perms::READ, "ip", net)];
        assert_eq!(check_acl(&list, perms::READ, &[id("ip", address)]), want, "{net} {address}");
    }
}

/// A long list is looked up in, a short one is read: both must say the same.
#[test]
fn a_long_list_means_what_it_would_mean_read_from_end_to_end() {
    const IDS: [(&str, &str); 13] = [
        ("world", "anyone"),
        ("world", "nobody"),
        ("digest", "bob:x"),
        ("digest", "eve:x"),
        ("sasl", "bob"),
        ("sasl", "super"),
        ("super", ""),
        ("ip", "10.1.2.3"),
        ("ip", "10.1.0.0/16"),
        ("ip", "::/0"),
        ("ip", "::ffff:10.1.2.9"),
        ("ip", "fe80::1%eth0"),
        ("ip", "nonsense"),
    ];
    let mut random = 7;
    let mut draw = |count: usize| splitmix::next(&mut random) as usize % count;
    let (mut passed, mut kept_out) = (0, 0);
    for _ in 0..3000 {
        let mut pick = || IDS[draw(IDS.len())];
        let ids: Vec<Id> = (0..3).map(|_| pick()).map(|(scheme, name)| id(scheme, name)).collect();
        let entries: Vec<(&str, &str)> = (0..5).map(|_| pick()).collect();
        let mut entries: Vec<Acl> =
            entries.into_iter().map(|(s, n)| acl(1 << draw(5) as i32, s, n)).collect();
        entries.extend((0..20).map(|n| acl(perms::ALL, "digest", &format!("{n}:x"))));
        let list = AclList::from(entries.clone());
        assert!(list.is_long());
        for wanted in [perms::READ, perms::WRITE | perms::ADMIN] {
            let passes = check_acl(&entries, wanted, &ids);
            assert_eq!(list.lets_pass(wanted, &ids), passes, "{wanted} {ids:?} {entries:?}");
            *if passes { &mut passed } else { &mut kept_out } += 1;
        }
    }
    assert!(passed > 500 && kept_out > 500, "{passed} {kept_out}");
}

/// Read from end to end for each of them this would be 10,000,000,000 comparisons of texts.
#[test]
fn a_list_of_a_mebibyte_is_asked_a_hundred_thousand_times_at_once() {
    let entries: Vec<Acl> = (0..50_000).map(|n| acl(1, "digest", &format!("{n:05}:x"))).collect();
    let ids: Vec<Id> = (0..4).map(|n| id("digest", &format!("{n:05}:y"))).collect();
    let list = AclList::from(entries);
    for _ in 0..50_000 {
        assert!(!list.lets_pass(perms::READ, &ids));
        assert!(list.lets_pass(perms::READ, &[id("digest", "49999:x")]));
    }
}

#[test]
fn a_request_asks_a_long_list_once_and_each_list_by_itself() {
    let list = |of: &str| -> AclList {
        (0..10).map(|n| acl(perms::READ, "digest", &format!("{of}{n}"))).collect::<Vec<_>>().into()
    };
    let (bobs, eves) = (list("bob"), list("eve"));
    let ids = [id("digest", "bob1")];
    let mut asked = AskedLists::default();
    for _ in 0..3 {
        assert!(asked.lets_pass(&bobs, perms::READ, &ids));
        assert!(!asked.lets_pass(&bobs, perms::WRITE, &ids));
        assert!(!asked.lets_pass(&eves, perms::READ, &ids));
    }
    assert_eq!(asked.answers.len(), 3);
    assert!(AclRules::default().check_once(&mut asked, &bobs, perms::READ, &[]), "by one asker");
}
