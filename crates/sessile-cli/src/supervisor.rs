//! Tells systemd how the daemon is, where systemd started it (sd_notify(3)).

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixDatagram;

use crate::settings::Environment;

/// Who wants to know, where somebody does.
pub(crate) struct Supervisor(Option<OsString>);

impl Supervisor {
    /// Whoever the environment names.
    pub(crate) fn of(environment: &Environment) -> Self {
        Self(environment.value("NOTIFY_SOCKET"))
    }

    /// Tells, as `READY=1`. Whoever doesn't hear it has its own time-out.
    pub(crate) fn tell(&self, state: &str) {
        let Some(socket) = &self.0 else { return };
        let Ok(sender) = UnixDatagram::unbound() else {
            return;
        };
        _ = match socket.as_bytes().strip_prefix(b"@") {
            Some(name) => to_abstract(&sender, name, state),
            None => sender.send_to(state.as_bytes(), socket),
        };
    }
}

/// A socket that has a name but no place in the file system.
#[cfg(target_os = "linux")]
fn to_abstract(sender: &UnixDatagram, name: &[u8], state: &str) -> std::io::Result<usize> {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::SocketAddr;

    let address = SocketAddr::from_abstract_name(name)?;
    sender.send_to_addr(state.as_bytes(), &address)
}

#[cfg(not(target_os = "linux"))]
fn to_abstract(_: &UnixDatagram, _: &[u8], _: &str) -> std::io::Result<usize> {
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::environment;

    #[test]
    fn whoever_started_it_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let hears = UnixDatagram::bind(&path).unwrap();
        let variables = [(
            "NOTIFY_SOCKET",
            path.to_str().unwrap().to_owned().leak() as &str,
        )];
        Supervisor::of(&environment(&variables)).tell("READY=1");
        let mut heard = [0; 16];
        let length = hears.recv(&mut heard).unwrap();
        assert_eq!(&heard[..length], b"READY=1");
        Supervisor::of(&environment(&[])).tell("READY=1");
    }
}
