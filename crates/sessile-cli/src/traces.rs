//! Whether the daemon's traces go to a collector, and to which; `otlp` sends them. What is traced is
//! decided where it happens: see `sessile::spans`.

#[cfg(feature = "otel")]
mod otlp;

use tracing_subscriber::{Layer, Registry};
use url::Url;

use crate::args::{Cli, Command};
use crate::exit::Failure;
use crate::settings::Environment;

#[cfg(feature = "otel")]
pub(crate) use otlp::{Traces, join};

/// What hears of spans and of the log's lines.
pub(crate) type Listener = Box<dyn Layer<Registry> + Send + Sync>;

/// Where traces go.
#[derive(Debug, Eq, PartialEq)]
enum Place {
    /// Where OpenTelemetry's own variables say.
    ByVariables,
    Collector(Url),
}

/// Begins to send traces, where that is asked for.
pub(crate) fn start(cli: &Cli, environment: &Environment) -> Result<Option<Traces>, Failure> {
    let Command::Serve(args) = &cli.command else {
        return Ok(None);
    };
    match place(args.otlp.as_ref(), environment) {
        Some(place) => Traces::start(&place, environment),
        None => Ok(None),
    }
}

/// The option wins over the variables; either of the two that switch traces off is heeded.
fn place(option: Option<&Url>, environment: &Environment) -> Option<Place> {
    if let Some(url) = option {
        return Some(Place::Collector(url.clone()));
    }
    let is = |name: &str, value: &str| {
        let found = environment.value(name);
        found.is_some_and(|found| found.eq_ignore_ascii_case(value))
    };
    let is_off = is("OTEL_SDK_DISABLED", "true") || is("OTEL_TRACES_EXPORTER", "none");
    let is_named = ENDPOINTS
        .iter()
        .any(|name| environment.value(name).is_some());
    (is_named && !is_off).then_some(Place::ByVariables)
}

const ENDPOINTS: [&str; 2] = [
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
];

/// Nothing is sent by a program that was built without it.
#[cfg(not(feature = "otel"))]
pub(crate) struct Traces;

#[cfg(not(feature = "otel"))]
impl Traces {
    fn start(place: &Place, _environment: &Environment) -> Result<Option<Self>, Failure> {
        match place {
            // They may be meant for other programs.
            Place::ByVariables => Ok(None),
            Place::Collector(_) => Err(Failure::usage(
                "this program was built without OpenTelemetry",
            )
            .hint("build it with `cargo build --release -p sessile-cli --features otel`")),
        }
    }

    pub(crate) fn listener(&self) -> Listener {
        Box::new(tracing_subscriber::layer::Identity::new())
    }

    pub(crate) fn end(self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::tests::environment;

    #[test]
    fn the_option_wins_over_the_variables_and_they_can_be_switched_off() {
        let collector: Url = "http://collector.test:4318".parse().unwrap();
        let named = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://other.test")];
        check(
            Some(&collector),
            &named,
            Some(&Place::Collector(collector.clone())),
        );
        check(None, &named, Some(&Place::ByVariables));
        check(None, &[], None);
        for off in [
            ("OTEL_SDK_DISABLED", "TRUE"),
            ("OTEL_TRACES_EXPORTER", "none"),
        ] {
            check(None, &[named[0], off], None);
        }
    }

    #[track_caller]
    fn check(
        option: Option<&Url>,
        variables: &[(&'static str, &'static str)],
        expected: Option<&Place>,
    ) {
        assert_eq!(
            place(option, &environment(variables)).as_ref(),
            expected,
            "{variables:?}"
        );
    }
}
