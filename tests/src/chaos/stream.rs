//! Everything that one publisher will send, in order: sensible commands, repeats, and what must never be believed. Pure:
//! the same seed gives the same records.

use std::time::Duration;

use super::author::{Author, Target, Written};
use super::operation::{Key, Planned, Signature};
use super::plan::Plan;
use super::random::Random;
use crate::history::Shape;

/// A publisher sends so many records at once, at most.
const BURST: usize = 40;
const TWO_HOURS: i64 = 7_200;

/// The records of publisher number `number`.
pub fn stream(plan: &Plan, number: usize, tenants: &[String], target: &Target) -> Vec<Planned> {
    let name = format!("publisher-{number}");
    let mut count = plan.operations / plan.publishers.max(1);
    if number < plan.operations % plan.publishers.max(1) {
        count += 1;
    }
    let mut times = Random::new(plan.seed, &format!("{name}/times"));
    let at = bursts(&mut times, count, plan.load);
    let author = Author::new(Random::new(plan.seed, &name), &name, tenants, target);
    let mut writer = Writer { author, tenants: tenants.to_vec(), sent: Vec::new() };
    at.into_iter().map(|at| Planned { at, ..writer.next() }).collect()
}

/// Times of `count` records, in order, in bursts.
fn bursts(random: &mut Random, count: usize, load: Duration) -> Vec<Duration> {
    let mut sizes = Vec::new();
    let mut left = count;
    while left > 0 {
        let size = random.between(1, BURST).min(left);
        sizes.push(size);
        left -= size;
    }
    let mut moments: Vec<Duration> = sizes.iter().map(|_| load.mul_f64(fraction(random))).collect();
    moments.sort();
    sizes.into_iter().zip(moments).flat_map(|(size, at)| std::iter::repeat_n(at, size)).collect()
}

/// A number from 0 to 1.
pub(super) fn fraction(random: &mut Random) -> f64 {
    f64::from(u32::try_from(random.below(1_000_000)).unwrap_or_default()) / 1_000_000.0
}

struct Writer {
    author: Author,
    tenants: Vec<String>,
    /// Commands that were sent and not signed wrongly.
    sent: Vec<Written>,
}

impl Writer {
    fn next(&mut self) -> Planned {
        // In a thousand; the rest are sensible commands.
        match self.author.random.below(1_000) {
            0..100 => self.repeat(),
            100..150 => self.other_payload(),
            150..200 => {
                let written = self.author.invalid();
                self.sound(written)
            }
            200..220 => self.garbage(),
            220..240 => Planned { shape: Shape::Unsigned, signature: None, ..self.disguised() },
            240..275 => self.wrongly_signed(),
            275..285 => self.misrouted(),
            285..295 => self.by_viewer(),
            _ => {
                let written = self.author.next();
                self.sound(written)
            }
        }
    }

    fn sound(&mut self, written: Written) -> Planned {
        self.sent.push(written.clone());
        planned(written, Shape::Command)
    }

    /// One of the commands that were sent, more often a new one than an old one.
    fn earlier(&mut self) -> Option<Written> {
        let from = if self.author.random.chance(60) { self.sent.len().saturating_sub(10) } else { 0 };
        self.author.random.pick(&self.sent[from..]).cloned()
    }

    fn repeat(&mut self) -> Planned {
        match self.earlier() {
            Some(written) => planned(written, Shape::Command),
            None => {
                let written = self.author.next();
                self.sound(written)
            }
        }
    }

    fn other_payload(&mut self) -> Planned {
        let Some(Written { id, tenant, .. }) = self.earlier() else { return self.repeat() };
        planned(self.author.create(Some((id, &tenant))), Shape::Command)
    }

    /// Something that would be a command: new, or an earlier one again, or another under its id.
    fn disguised(&mut self) -> Planned {
        let earlier = self.earlier();
        let written = match (earlier, self.author.random.below(3)) {
            (Some(written), 0) => written,
            (Some(written), 1) => self.author.create(Some((written.id, &written.tenant))),
            _ => self.author.aside(),
        };
        planned(written, Shape::Command)
    }

    fn garbage(&mut self) -> Planned {
        let whole = self.disguised();
        let random = &mut self.author.random;
        let (kind, value) = match random.below(5) {
            0 => ("no bytes", Vec::new()),
            1 => ("random bytes", [vec![1], random.bytes(100)].concat()),
            2 => ("an unknown schema id", [vec![0, 0, 0, 0, 7], random.bytes(50)].concat()),
            3 => ("a command with bytes behind it", [whole.value.clone(), random.bytes(3)].concat()),
            _ => {
                let end = random.between(1, whole.value.len().saturating_sub(1));
                ("a command cut off", whole.value[..end].to_vec())
            }
        };
        Planned { kind: kind.to_owned(), shape: Shape::Garbage, command_id: None, value, ..whole }
    }

    fn wrongly_signed(&mut self) -> Planned {
        let mut one = self.disguised();
        let other = self.disguised();
        let Some(signature) = one.signature.as_mut() else { return one };
        match self.author.random.below(7) {
            0 | 1 => {
                one.shape = Shape::Forged;
                signature.by = Key::Stranger;
            }
            2 | 3 => {
                one.shape = Shape::Altered;
                signature.value = altered(&one.value, &other.value);
            }
            4 => {
                one.shape = Shape::OtherCommand;
                signature.command_id = self.author.random.id();
            }
            5 => {
                one.shape = Shape::Untimely;
                signature.seconds_off = if self.author.random.chance(50) { TWO_HOURS } else { -TWO_HOURS };
            }
            _ => {
                one.shape = Shape::OtherTenant;
                let others: Vec<String> = self.tenants.iter().filter(|other| **other != one.tenant).cloned().collect();
                let other = self.author.random.pick(&others).cloned().unwrap_or_default();
                if self.author.random.chance(50) {
                    // On the other's partition too: only the value says whose it is.
                    one.key.clone_from(&other);
                }
                signature.tenant = other;
            }
        }
        one
    }

    fn misrouted(&mut self) -> Planned {
        let off = i32::try_from(self.author.random.between(1, 11)).unwrap_or(1);
        Planned { shape: Shape::Misrouted, partitions_off: off, ..self.disguised() }
    }

    /// A command whose publisher may only look.
    fn by_viewer(&mut self) -> Planned {
        let mut one = planned(self.author.aside(), Shape::Command);
        if let Some(signature) = one.signature.as_mut() {
            signature.by = Key::Viewer;
        }
        one
    }
}

/// Another value of the same type, so that nothing but the value is wrong.
fn altered(value: &[u8], other: &[u8]) -> Vec<u8> {
    if other.get(..5) == value.get(..5) && other != value {
        return other.to_vec();
    }
    let mut other = value.to_vec();
    other.push(0);
    other
}

fn planned(written: Written, shape: Shape) -> Planned {
    let Written { kind, id, tenant, value } = written;
    let signature =
        Signature { by: Key::Trusted, tenant: tenant.clone(), command_id: id, value: value.clone(), seconds_off: 0 };
    Planned {
        at: Duration::ZERO,
        kind,
        shape,
        command_id: Some(id),
        key: tenant.clone(),
        tenant,
        partitions_off: 0,
        value,
        signature: Some(signature),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use pursight_schemas::Command;

    use super::*;

    fn streams(seed: u64, operations: usize) -> Vec<Vec<Planned>> {
        let tenants = ["a", "b", "c"].map(str::to_owned);
        let target = Target { host: "localhost".to_owned(), port: 1, database: "d".to_owned(), user: "u".to_owned() };
        let plan = Plan { operations, ..Plan::full(seed, 1.5) };
        (0..plan.publishers).map(|number| stream(&plan, number, &tenants, &target)).collect()
    }

    #[test]
    fn a_seed_gives_the_same_records_again() {
        assert_eq!(streams(3, 100), streams(3, 100));
        assert_ne!(streams(3, 100), streams(4, 100));
    }

    #[test]
    fn every_kind_comes_and_in_its_share() {
        let all: Vec<Planned> = streams(1, 2_000).concat();
        assert_eq!(all.len(), 2_000);
        let mut shapes: BTreeMap<Shape, usize> = BTreeMap::new();
        let mut kinds: BTreeSet<&str> = BTreeSet::new();
        let mut payloads: BTreeMap<_, Vec<&[u8]>> = BTreeMap::new();
        for one in &all {
            *shapes.entry(one.shape).or_default() += 1;
            if one.shape.is_command() {
                kinds.insert(&one.kind);
                payloads.entry(one.command_id).or_default().push(&one.value);
            }
        }
        assert_eq!(shapes.len(), 9, "{shapes:?}");
        assert_eq!(kinds.len(), 12, "all but ConfirmDeletions: {kinds:?}");
        let repeats: usize =
            payloads.values().map(|values| values.iter().skip(1).filter(|one| **one == values[0]).count()).sum();
        let others: usize =
            payloads.values().map(|values| values.iter().skip(1).filter(|one| **one != values[0]).count()).sum();
        assert!((140..280).contains(&repeats), "{repeats} repeats");
        assert!((60..140).contains(&others), "{others} other payloads");
    }

    #[test]
    fn every_command_is_one_and_garbage_is_none() {
        for one in streams(2, 300).concat() {
            let decoded = Command::decode(&one.value);
            if one.shape == Shape::Garbage {
                assert!(decoded.is_err(), "{one:?}");
            } else {
                assert_eq!(decoded.ok().map(|command| command.meta().command_id), one.command_id, "{one:?}");
            }
        }
    }
}
