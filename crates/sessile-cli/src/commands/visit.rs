//! A page that a person has to open: shown on the terminal, and opened in a browser where one is.

use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;

use sessile::login::{AskVisit, PageToVisit};

use super::work::Work;
use crate::password;
use crate::printer::plain;
use crate::settings::Environment;

/// Shows the page, and opens it unless that isn't wanted.
pub(super) fn ask(opens: bool, work: &Work<'_>) -> AskVisit {
    let tell = work.printer.teller();
    let browser = opens.then(|| browser(work.environment)).flatten();
    Arc::new(move |page| {
        tell(&words(page));
        if let Some(browser) = &browser
            && let Err(error) = open(browser, page.url.as_str())
        {
            let program = browser.program.to_string_lossy();
            tell(&format!(
                "can't start the browser {}: {error}",
                plain(&program)
            ));
        }
    })
}

fn words(page: &PageToVisit) -> String {
    let code = match &page.code {
        None => String::new(),
        Some(code) => format!("\nand type or compare this code: {}", plain(code)),
    };
    format!(
        "to {}, open this page in a browser:\n  {}{code}",
        plain(&page.purpose),
        page.url
    )
}

/// A program that opens pages.
#[derive(Debug, Eq, PartialEq)]
struct Browser {
    program: OsString,
    /// What comes before and after the page's address.
    arguments: Vec<String>,
}

/// `$BROWSER`, of which the first counts where it names several, else what the desktop opens
/// addresses with. Without a desktop there is nothing to open.
fn browser(environment: &Environment) -> Option<Browser> {
    if let Some(named) = environment.value("BROWSER") {
        let named = named.into_string().ok()?;
        let first = named.split(':').find(|part| !part.trim().is_empty())?;
        let mut words = first.split_whitespace().map(str::to_owned);
        return Some(Browser {
            program: words.next()?.into(),
            arguments: words.collect(),
        });
    }
    let has_desktop = ["DISPLAY", "WAYLAND_DISPLAY"]
        .iter()
        .any(|name| environment.value(name).is_some());
    has_desktop.then(|| Browser {
        program: "xdg-open".into(),
        arguments: Vec::new(),
    })
}

/// Starts it and goes on; it may stay open for as long as the person likes.
fn open(browser: &Browser, url: &str) -> std::io::Result<()> {
    let mut command = Command::new(&browser.program);
    password::without_store(&mut command);
    let has_place = browser.arguments.iter().any(|word| word.contains("%s"));
    command.args(browser.arguments.iter().map(|word| word.replace("%s", url)));
    if !has_place {
        command.arg(url);
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut child = command.spawn()?;
    // Nothing is said of how it ends, but its end is taken note of: no dead process stays.
    thread::spawn(move || child.wait());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::environment;

    #[test]
    fn a_browser_is_where_the_environment_says() {
        check(&[], None);
        check(&[("DISPLAY", ":0")], Some(("xdg-open", &[])));
        check(&[("WAYLAND_DISPLAY", "w")], Some(("xdg-open", &[])));
        check(&[("BROWSER", "firefox:lynx")], Some(("firefox", &[])));
        check(
            &[("BROWSER", "w3m -T %s"), ("DISPLAY", ":0")],
            Some(("w3m", &["-T", "%s"])),
        );
    }

    #[track_caller]
    fn check(
        variables: &'static [(&'static str, &'static str)],
        expected: Option<(&str, &[&str])>,
    ) {
        let expected = expected.map(|(program, arguments)| Browser {
            program: program.into(),
            arguments: arguments.iter().map(|&word| word.to_owned()).collect(),
        });
        assert_eq!(browser(&environment(variables)), expected, "{variables:?}");
    }
}
