//! Web servers and proxies that others wrote, each as a test wants it.

use std::fs;
use std::process::Command;

use super::Daemon;
use super::authority::Authority;

/// Who may enter, everywhere.
pub(crate) const ADA: &str = "ada";

/// With this password.
pub(crate) const ADA_PASSWORD: &str = "correct horse";

/// Apache httpd; pages below `/digest/` ask for digest authentication, and those below `/once/`
/// accept each nonce once.
pub(crate) fn apache() -> Daemon {
    Daemon::start(1, |folder, ports| {
        for page in ["digest", "once"] {
            let page = folder.join("www").join(page).join("inner");
            fs::create_dir_all(&page).unwrap();
            fs::write(page.join("index.html"), "members only\n").unwrap();
        }
        // htdigest's line: user, realm, and the MD5 of both with the password.
        let line = "ada:members:8a064e1b3b5fb9a1b74c5d9d664459eb\n";
        fs::write(folder.join("users"), line).unwrap();
        let root = folder.display().to_string();
        let file = folder.join("httpd.conf");
        let text = APACHE
            .replace("ROOT", &root)
            .replace("PORT", &ports[0].to_string());
        fs::write(&file, text).unwrap();
        let mut command = Command::new("/usr/sbin/apache2");
        command.args(["-D", "FOREGROUND", "-f"]).arg(file);
        command
    })
}

const APACHE: &str = "\
ServerRoot ROOT
ServerName localhost
PidFile ROOT/pid
DefaultRuntimeDir ROOT
Listen 127.0.0.1:PORT
User www-data
Group www-data
ErrorLog /dev/stderr
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule auth_digest_module /usr/lib/apache2/modules/mod_auth_digest.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authn_file_module /usr/lib/apache2/modules/mod_authn_file.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
LoadModule dir_module /usr/lib/apache2/modules/mod_dir.so
StartServers 1
DocumentRoot ROOT/www
DirectoryIndex index.html
<Location />
  AuthType Digest
  AuthName members
  AuthDigestProvider file
  AuthUserFile ROOT/users
  Require valid-user
</Location>
<Location /once/>
  AuthDigestNonceLifetime 0
</Location>
";

/// nginx: without TLS, with it, with a certificate that has expired, for those who show one of
/// their own, and with one of a host called Ada. Its authority is `ca.pem`, Ada's certificate `ada.pem` and `ada.key`.
pub(crate) fn nginx() -> Daemon {
    Daemon::start(5, |folder, ports| {
        let authority = Authority::new(folder);
        authority.issue("server", "localhost", "-days 1");
        authority.issue("ada", ADA, "-days 1");
        let past = "-startdate 20200101000000Z -enddate 20200201000000Z";
        authority.issue("expired", "localhost", past);
        let line = format!("{ADA}:{{PLAIN}}{ADA_PASSWORD}\n");
        fs::write(folder.join("users"), line).unwrap();
        let mut text = NGINX.to_owned();
        for (name, port) in NGINX_PORTS.iter().zip(ports) {
            text = text.replace(&format!(":{name}"), &format!(":{port}"));
        }
        fs::write(folder.join("nginx.conf"), text).unwrap();
        let mut command = Command::new("/usr/sbin/nginx");
        command.args(["-e", "stderr", "-c", "nginx.conf", "-p"]);
        command.arg(folder);
        command
    })
}

/// What stands for the ports in the configuration.
const NGINX_PORTS: [&str; 5] = ["PLAIN", "TLS", "EXPIRED", "MUTUAL", "ADA"];

const NGINX: &str = r#"
user root;
daemon off;
worker_processes 1;
pid pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_certificate server.pem;
  ssl_certificate_key server.key;
  server {
    listen 127.0.0.1:PLAIN;
    location / { return 200 "$server_protocol via $http_via"; }
    location /basic/ {
      auth_basic members;
      auth_basic_user_file users;
      try_files /none @hello;
    }
    location @hello { return 200 "hello $remote_user"; }
  }
  server {
    listen 127.0.0.1:TLS ssl http2;
    location / { return 200 "$server_protocol $ssl_protocol"; }
  }
  server {
    listen 127.0.0.1:EXPIRED ssl;
    ssl_certificate expired.pem;
    ssl_certificate_key expired.key;
  }
  server {
    listen 127.0.0.1:MUTUAL ssl http2;
    ssl_client_certificate ca.pem;
    ssl_verify_client on;
    location / { return 200 $ssl_client_s_dn; }
  }
  server {
    listen 127.0.0.1:ADA ssl;
    ssl_certificate ada.pem;
    ssl_certificate_key ada.key;
  }
}
"#;

/// Whom a proxy serves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Serves {
    /// Ada, who has to give her password.
    Ada,
    /// Everybody.
    Everybody,
}

/// Ada's password at the proxies.
pub(crate) const PROXY_PASSWORD: &str = "secret-of-the-proxy";

/// tinyproxy, an HTTP proxy.
pub(crate) fn tinyproxy(serves: Serves) -> Daemon {
    Daemon::start(1, |folder, ports| {
        let login = match serves {
            Serves::Ada => format!("BasicAuth {ADA} {PROXY_PASSWORD}\n"),
            Serves::Everybody => String::new(),
        };
        let port = ports[0];
        let common = format!("Port {port}\nListen 127.0.0.1\nTimeout 30\nLogLevel Connect\n");
        let file = folder.join("tinyproxy.conf");
        fs::write(&file, common + &login).unwrap();
        let mut command = Command::new("/usr/bin/tinyproxy");
        command.arg("-d").arg("-c").arg(file);
        command
    })
}

/// microsocks, a SOCKS 5 proxy.
pub(crate) fn microsocks(serves: Serves) -> Daemon {
    Daemon::start(1, |_folder, ports| {
        let mut command = Command::new("/usr/bin/microsocks");
        command.args(["-i", "127.0.0.1", "-p", &ports[0].to_string()]);
        if serves == Serves::Ada {
            command.args(["-u", ADA, "-P", PROXY_PASSWORD]);
        }
        command
    })
}
