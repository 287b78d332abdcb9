//! A TCP proxy of our own between the product and a real server, which does what servers and networks do on bad days.
//! Counts *requests*: whenever the client speaks after the server has, a new one begins, encrypted or not, so that "in the
//! middle of each step" is a number. Knows no protocol, and is no server: what it passes on is the real one's.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;

/// What the proxy does. Requests count from 1 on each connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Passes everything on.
    Pass,
    /// Accepts and takes everything, and nothing comes back: from now on, on old connections and new ones.
    BlackHole,
    /// The answer to this request, and everything after so many bytes of it, never comes.
    Hang {
        /// Which request of a connection.
        request: u32,
        /// Bytes of its answer that still come.
        after: usize,
    },
    /// Hangs up on this request, with a FIN on both sides.
    Cut {
        /// Which request of a connection.
        request: u32,
    },
    /// Answers this request with a RST.
    Reset {
        /// Which request of a connection.
        request: u32,
    },
    /// Keeps this request until [`Proxy::release`], then goes on as if nothing had been.
    Hold {
        /// Which request of a connection.
        request: u32,
    },
    /// Every piece of an answer comes so much later.
    Delay(Duration),
    /// Slow-loris: from this request on one byte of the answers at a time, so far apart.
    Drip {
        /// Which request of a connection.
        request: u32,
        /// Pause before each byte.
        every: Duration,
    },
}

struct Plan {
    fault: Fault,
    /// Connections that still meet the fault; the others pass.
    victims: u32,
    ended: bool,
}

struct Shared {
    server: SocketAddr,
    plan: Mutex<Plan>,
    open: Mutex<Vec<Arc<Connection>>>,
    most_requests: AtomicU32,
    met: AtomicU32,
    holding: AtomicBool,
}

struct Connection {
    client: TcpStream,
    server: TcpStream,
    /// Requests so far, and whether the server spoke last.
    requests: Mutex<(u32, bool)>,
    silent: AtomicBool,
    counted: AtomicBool,
    /// A request of it is kept: until that goes on, the client learns nothing of the server's end.
    held: AtomicBool,
    /// The client is to see a RST: its socket is closed, never shut down.
    reset: AtomicBool,
}

/// A running proxy; its connections end with it.
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
}

impl Proxy {
    /// A proxy to a port of this host, passing everything on.
    ///
    /// # Errors
    /// No port is free.
    pub fn to(port: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let own = listener.local_addr()?.port();
        let plan = Mutex::new(Plan { fault: Fault::Pass, victims: 0, ended: false });
        let shared = Arc::new(Shared {
            server: SocketAddr::from(([127, 0, 0, 1], port)),
            plan,
            open: Mutex::default(),
            most_requests: AtomicU32::new(0),
            met: AtomicU32::new(0),
            holding: AtomicBool::new(false),
        });
        let accepting = Arc::clone(&shared);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                if accepting.plan().ended {
                    return;
                }
                if let Ok(client) = client {
                    accept(&accepting, client);
                }
            }
        });
        Ok(Self { port: own, shared })
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// From now on every connection meets this.
    pub fn set(&self, fault: Fault) {
        self.set_for(fault, u32::MAX);
    }

    /// From now on so many connections meet this, and the others pass.
    pub fn set_for(&self, fault: Fault, connections: u32) {
        let mut plan = self.shared.plan();
        (plan.fault, plan.victims) = (fault, connections);
        drop(plan);
        self.shared.met.store(0, Ordering::SeqCst);
        self.shared.most_requests.store(0, Ordering::SeqCst);
    }

    /// Most requests of one connection since the last `set`.
    pub fn requests(&self) -> u32 {
        self.shared.most_requests.load(Ordering::SeqCst)
    }

    /// Connections that met the fault since the last `set`.
    pub fn met(&self) -> u32 {
        self.shared.met.load(Ordering::SeqCst)
    }

    /// Whether a request is kept.
    pub fn is_holding(&self) -> bool {
        self.shared.holding.load(Ordering::SeqCst)
    }

    /// Lets go what is kept, and passes everything on.
    pub fn release(&self) {
        self.set(Fault::Pass);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.plan().ended = true;
        for connection in self.shared.open().drain(..) {
            connection.end();
        }
        // Wakes the accepting thread, which then sees that it is over.
        drop(TcpStream::connect(("127.0.0.1", self.port)));
    }
}

impl Shared {
    fn plan(&self) -> std::sync::MutexGuard<'_, Plan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open(&self) -> std::sync::MutexGuard<'_, Vec<Arc<Connection>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault that a connection meets at its `request`-th request, if it does.
    fn fault(&self, connection: &Connection, request: u32) -> Fault {
        let mut plan = self.plan();
        let due = match plan.fault {
            Fault::Pass => false,
            Fault::BlackHole | Fault::Delay(_) => true,
            Fault::Hang { request: at, .. } | Fault::Drip { request: at, .. } => request >= at,
            Fault::Cut { request: at } | Fault::Reset { request: at } | Fault::Hold { request: at } => request == at,
        };
        if !due || plan.ended {
            return Fault::Pass;
        }
        if !connection.counted.load(Ordering::SeqCst) {
            if plan.victims == 0 {
                return Fault::Pass;
            }
            plan.victims -= 1;
            connection.counted.store(true, Ordering::SeqCst);
            self.met.fetch_add(1, Ordering::SeqCst);
        }
        plan.fault
    }

    /// Keeps what the client sends until the plan is another one; none if the client hung up meanwhile.
    fn hold(&self, client: &TcpStream) -> Option<Vec<u8>> {
        let (mut kept, mut buffer) = (Vec::new(), [0; 16 * 1024]);
        let _ = client.set_read_timeout(Some(Duration::from_millis(10)));
        self.holding.store(true, Ordering::SeqCst);
        let all = loop {
            match (&*client).read(&mut buffer) {
                Ok(0) => break None,
                Ok(count) => kept.extend_from_slice(&buffer[..count]),
                Err(error) if [ErrorKind::WouldBlock, ErrorKind::TimedOut].contains(&error.kind()) => {}
                Err(_) => break None,
            }
            let plan = self.plan();
            if plan.ended || !matches!(plan.fault, Fault::Hold { .. }) {
                break Some(kept);
            }
        };
        self.holding.store(false, Ordering::SeqCst);
        let _ = client.set_read_timeout(None);
        all
    }
}

impl Connection {
    /// The client speaks: the number of its request.
    fn asks(&self) -> u32 {
        let mut state = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if state.1 {
            *state = (state.0 + 1, false);
        }
        state.0
    }

    /// The server speaks: which request it answers.
    fn answers(&self) -> u32 {
        let mut state = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        state.1 = true;
        state.0
    }

    fn end(&self) {
        // What is closed already needs no closing.
        if !self.reset.load(Ordering::SeqCst) {
            let _ = self.client.shutdown(Shutdown::Both);
        }
        let _ = self.server.shutdown(Shutdown::Both);
    }
}

fn accept(shared: &Arc<Shared>, client: TcpStream) {
    // A server that is away refuses: so does whoever stands in front of it.
    let Ok(server) = TcpStream::connect(shared.server) else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let connection = Arc::new(Connection {
        client,
        server,
        requests: Mutex::new((0, true)),
        silent: AtomicBool::new(false),
        counted: AtomicBool::new(false),
        held: AtomicBool::new(false),
        reset: AtomicBool::new(false),
    });
    let mut open = shared.open();
    open.retain(|other| Arc::strong_count(other) > 1);
    open.push(Arc::clone(&connection));
    drop(open);
    for pump in [up, down] {
        let (shared, connection) = (Arc::clone(shared), Arc::clone(&connection));
        std::thread::spawn(move || {
            pump(&shared, &connection);
            connection.end();
        });
    }
}

/// From the client to the server.
fn up(shared: &Shared, connection: &Connection) {
    let mut buffer = [0; 16 * 1024];
    loop {
        // Only looked at: a socket that is closed with bytes unread sends a RST.
        match connection.client.peek(&mut buffer) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(_) => return,
        }
        let request = connection.asks();
        shared.most_requests.fetch_max(request, Ordering::SeqCst);
        match shared.fault(connection, request) {
            Fault::Cut { .. } => {
                let _ = (&connection.client).read(&mut buffer);
                return;
            }
            Fault::Reset { .. } => {
                connection.reset.store(true, Ordering::SeqCst);
                shared.open().retain(|other| !std::ptr::eq(&raw const **other, connection));
                return;
            }
            Fault::Hold { .. } => {
                connection.held.store(true, Ordering::SeqCst);
                let kept = shared.hold(&connection.client);
                connection.held.store(false, Ordering::SeqCst);
                let Some(kept) = kept else { return };
                if (&connection.server).write_all(&kept).is_err() {
                    return;
                }
                continue;
            }
            Fault::BlackHole => connection.silent.store(true, Ordering::SeqCst),
            Fault::Pass | Fault::Hang { .. } | Fault::Delay(_) | Fault::Drip { .. } => {}
        }
        let Ok(count) = (&connection.client).read(&mut buffer) else { return };
        let swallow = connection.silent.load(Ordering::SeqCst);
        if count == 0 || (!swallow && (&connection.server).write_all(&buffer[..count]).is_err()) {
            return;
        }
    }
}

/// From the server to the client.
fn down(shared: &Shared, connection: &Connection) {
    let mut buffer = [0; 16 * 1024];
    let mut answered = (0, 0);
    loop {
        let count = match (&connection.server).read(&mut buffer) {
            Ok(0) | Err(_) if connection.silent.load(Ordering::SeqCst) => {
                // Whoever is silent does not say goodbye either; the client's own hanging up ends it.
                wait_for_the_client(connection);
                return;
            }
            Ok(0) | Err(_) => {
                while connection.held.load(Ordering::SeqCst) {
                    std::thread::sleep(Duration::from_millis(10));
                }
                return;
            }
            Ok(count) => count,
        };
        let request = connection.answers();
        if answered.0 != request {
            answered = (request, 0);
        }
        let mut pieces = buffer[..count].chunks(count);
        match shared.fault(connection, request) {
            Fault::BlackHole => connection.silent.store(true, Ordering::SeqCst),
            Fault::Hang { request: at, after } => {
                let left = if request == at { after.saturating_sub(answered.1).min(count) } else { 0 };
                if left < count {
                    let _ = (&connection.client).write_all(&buffer[..left]);
                    connection.silent.store(true, Ordering::SeqCst);
                }
            }
            Fault::Delay(pause) => std::thread::sleep(pause),
            Fault::Drip { every, .. } => {
                pieces = buffer[..count].chunks(1);
                std::thread::sleep(every);
            }
            Fault::Pass | Fault::Cut { .. } | Fault::Reset { .. } | Fault::Hold { .. } => {}
        }
        answered.1 += count;
        if connection.silent.load(Ordering::SeqCst) {
            continue;
        }
        for piece in pieces {
            if (&connection.client).write_all(piece).is_err() {
                return;
            }
            if let (1, Fault::Drip { every, .. }) = (piece.len(), shared.plan().fault) {
                std::thread::sleep(every);
            }
        }
    }
}

fn wait_for_the_client(connection: &Connection) {
    let mut byte = [0; 1];
    // The other thread reads; this one only waits until there is nothing more to come.
    while connection.client.peek(&mut byte).is_ok_and(|count| count > 0) {
        std::thread::yield_now();
    }
}
