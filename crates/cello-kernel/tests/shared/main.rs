//! The arena between processes: what they add and decide together, and what is left when one is killed.
//!
//! The processes are this very program, started again to play one of the roles in `roles`.

mod bench;
mod counting;
mod limiting;
mod numbering;

use std::io::{BufRead, BufReader, Write};
use std::os::fd::AsRawFd;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use cello_kernel::shared::Arena;

const ROLE: &str = "CELLO_TEST_ROLE";
const DESCRIPTOR: &str = "CELLO_TEST_ARENA";

/// A process that plays a role, and does with each line it reads what the role says.
struct Player {
    child: Child,
    orders: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
}

impl Player {
    fn start(arena: &Arena, role: &str) -> Self {
        let descriptor = arena.inheritable().expect("a descriptor");
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", "roles", "--nocapture", "--ignored", "--quiet"])
            .env(ROLE, role)
            .env(DESCRIPTOR, descriptor.as_raw_fd().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let (orders, answers) = (child.stdin.take(), child.stdout.take().expect("a pipe"));
        let mut player = Self { child, orders, answers: BufReader::new(answers) };
        while player.line() != "ready" {}
        player
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.answers.read_line(&mut line).expect("a pipe") > 0, "the process is gone");
        line.trim().to_owned()
    }

    fn order(&mut self, order: &str) {
        writeln!(self.orders.as_mut().expect("a pipe"), "{order}").expect("it reads");
    }

    /// Has it end as it does when nothing more is to come.
    fn dismiss(mut self) {
        self.orders = None;
        assert!(self.child.wait().expect("it ends").success());
    }

    fn kill(mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }
}

#[test]
#[ignore = "it is what the other tests start"]
fn roles() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let number = std::env::var(DESCRIPTOR).expect("a descriptor").parse().expect("a number");
    let arena = Arena::open(cello_kernel::duplicate(number).expect("it was inherited")).expect("an arena");
    println!("ready");
    match role.as_str() {
        "counter" => counting::count(&arena),
        "limiter" => limiting::limit(&arena),
        "churner" => limiting::churn(&arena),
        "numberer" => numbering::number(&arena),
        "adder" => bench::add(&arena),
        "decider" => bench::decide(&arena),
        _ => panic!("no such role: {role}"),
    }
}

/// How many are killed where it is a matter of seconds.
const KILLS: usize = 100;
/// How many are killed by the test that takes long.
const MANY_KILLS: usize = 1000;
