//! A server from the distribution, in a process and a folder of its own.

use std::fs::{self, File, Permissions};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::wait_for;

/// A running server; ends when dropped.
pub(crate) struct Daemon {
    child: Child,
    folder: TempDir,
    ports: Vec<u16>,
}

impl Daemon {
    /// Starts a server that listens on `ports` free ports of loopback; `prepare` writes what it
    /// needs into the folder, and answers the command that runs it in the foreground.
    pub(crate) fn start(ports: usize, prepare: impl Fn(&Path, &[u16]) -> Command) -> Self {
        // Between choosing a port and listening there somebody else may have taken it.
        for _attempt in 0..4 {
            if let Some(daemon) = Self::try_start(free_ports(ports), &prepare) {
                return daemon;
            }
        }
        Self::try_start(free_ports(ports), &prepare).expect("it ended at each start; see its log")
    }

    fn try_start(ports: Vec<u16>, prepare: &impl Fn(&Path, &[u16]) -> Command) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        // Some servers give up the rights of root before they read.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let output = File::create(folder.path().join("output")).unwrap();
        let mut command = prepare(folder.path(), &ports);
        let child = command
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output)
            .spawn()
            .unwrap_or_else(|error| {
                panic!("{command:?}: {error}; scripts/deps/debian.txt names what to install")
            });
        let mut daemon = Self {
            child,
            folder,
            ports,
        };
        let is_up = wait_for("the server listening", || daemon.is_up());
        if !is_up {
            eprintln!("--- {command:?} ended with\n{}", daemon.output());
        }
        is_up.then_some(daemon)
    }

    /// Whether it listens on all its ports; `None` while it may still do so.
    fn is_up(&mut self) -> Option<bool> {
        if self.child.try_wait().unwrap().is_some() {
            return Some(false);
        }
        let mut ports = self.ports.iter();
        let all = ports.all(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok());
        all.then_some(true)
    }

    /// One of its ports.
    pub(crate) fn port(&self, which: usize) -> u16 {
        self.ports[which]
    }

    /// A file in its folder.
    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// What it has written to its standard output and standard error.
    pub(crate) fn output(&self) -> String {
        fs::read_to_string(self.file("output")).unwrap_or_default()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // A signal it can hear, so that it ends its workers too; it may have ended by itself.
        if self.child.try_wait().unwrap().is_none() {
            kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
            self.child.wait().unwrap();
        }
        if std::thread::panicking() {
            eprintln!("--- output of the server\n{}", self.output());
        }
    }
}

fn free_ports(count: usize) -> Vec<u16> {
    // All at once, so that they differ.
    let listeners: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap())
        .collect();
    let addresses = listeners.iter().map(|listener| listener.local_addr());
    addresses.map(|address| address.unwrap().port()).collect()
}
