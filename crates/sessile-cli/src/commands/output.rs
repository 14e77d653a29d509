//! What becomes of a reply: to standard output, into a file, or into a JSON document.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::pin::pin;

use base64ct::{Base64, Encoding as _};
use futures_util::future::{Either, select};
use http::{HeaderMap, Method};
use serde_json::{Map, Value, json};
use sessile::renew::{Renewal, Renewed, Renewer};
use sessile::session::Content;
use sessile::{Reply, ShownUrl, Verdict};

use super::work::Work;
use crate::args::RequestArgs;
use crate::ended::Ended;
use crate::exit::{Exit, Failure, Outcome, Stop};
use crate::printer::Printer;
use crate::target_file::TargetFile;

/// What is wanted of a reply.
#[derive(Debug)]
pub(super) struct Delivery {
    /// A status of 400 or more is a failure.
    fail: bool,
    /// The head goes before the body.
    head: bool,
    /// Where the body goes; `None` is standard output.
    file: Option<PathBuf>,
}

impl Delivery {
    pub(super) fn new(method: &Method, args: &RequestArgs) -> Self {
        let file = args.output.clone().filter(|path| path != Path::new("-"));
        Self {
            fail: args.fail,
            head: args.include || method == Method::HEAD,
            file,
        }
    }
}

/// Writes the reply and says how the command ends.
pub(super) async fn deliver(
    reply: Reply,
    renewal: Option<&Renewal>,
    delivery: &Delivery,
    work: &mut Work<'_>,
) -> Outcome {
    let exit = verdict_exit(&reply, delivery, work);
    match (work.json(), &delivery.file) {
        (true, file) => {
            let document = document(reply, renewal, file.as_deref()).await?;
            work.printer.document(&document)?;
        }
        (false, Some(file)) => {
            head(&reply, delivery, work.printer)?;
            save(reply, file).await?;
        }
        (false, None) => {
            head(&reply, delivery, work.printer)?;
            stream(reply, work.printer).await?;
        }
    }
    Ok(exit)
}

fn verdict_exit(reply: &Reply, delivery: &Delivery, work: &mut Work<'_>) -> Exit {
    for passed in reply.passed_over() {
        work.printer
            .note(&format!("{}: {}", passed.tier, passed.why));
    }
    let status = reply.status();
    let bad = status.is_client_error() || status.is_server_error();
    if let Verdict::Challenged(_) = reply.verdict() {
        let url = ShownUrl(reply.url());
        work.printer.warn(&format!(
            "{url}: {}; a person has to pass it",
            reply.verdict()
        ));
        return Exit::PersonNeeded;
    }
    if bad {
        work.printer
            .warn(&format!("{} answered {status}", ShownUrl(reply.url())));
    }
    match bad && delivery.fail {
        true => Exit::Failed,
        false => Exit::Done,
    }
}

fn head(reply: &Reply, delivery: &Delivery, printer: &mut Printer) -> Outcome<()> {
    if !delivery.head {
        return Ok(());
    }
    let mut head = format!("{:?} {}\r\n", reply.version(), reply.status()).into_bytes();
    for (name, value) in reply.headers() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    printer.bytes(&head)
}

async fn stream(mut reply: Reply, printer: &mut Printer) -> Outcome<()> {
    let mut is_first = true;
    while let Some(piece) = reply.chunk().await? {
        if is_first && printer.style().out_is_terminal && piece.contains(&0) {
            return Err(binary().into());
        }
        is_first = false;
        printer.bytes(&piece)?;
    }
    Ok(())
}

fn binary() -> Failure {
    Failure::new(
        Exit::Failed,
        "binaryBody",
        "the body is binary, and a terminal can't show it",
    )
    .hint("write it to a file with -o FILE, or pipe it to a program")
}

/// The body goes to its file whole or not at all, whoever ends this program in between.
async fn save(reply: Reply, path: &Path) -> Outcome<()> {
    let mut file = TargetFile::create(path)?;
    if !file.needs_tidying() {
        return fill(reply, &mut file, path).await;
    }
    let mut ended = Ended::listen().map_err(|error| TargetFile::failure(path, &error))?;
    match select(pin!(fill(reply, &mut file, path)), pin!(ended.wait())).await {
        Either::Left((filled, _)) => filled?,
        Either::Right((signal, _)) => return Err(Stop::Ended(signal)),
    }
    Ok(file.finish()?)
}

async fn fill(mut reply: Reply, file: &mut TargetFile, path: &Path) -> Outcome<()> {
    while let Some(piece) = reply.chunk().await? {
        file.write_all(&piece)
            .map_err(|error| TargetFile::failure(path, &error))?;
    }
    Ok(())
}

async fn document(reply: Reply, renewal: Option<&Renewal>, file: Option<&Path>) -> Outcome<Value> {
    let mut document = json!({
        "status": reply.status().as_u16(),
        "reason": reply.status().canonical_reason(),
        "version": format!("{:?}", reply.version()),
        "url": reply.url().as_str(),
        "headers": headers(reply.headers()),
        "history": reply.history().iter().map(|hop| json!({
            "url": hop.url.as_str(),
            "status": hop.status.as_u16(),
        })).collect::<Vec<_>>(),
        "verdict": reply.verdict().to_string(),
        "tier": reply.tier().to_string(),
        "passedOver": reply.passed_over().iter().map(|passed| json!({
            "tier": passed.tier.to_string(),
            "why": passed.why,
        })).collect::<Vec<_>>(),
        "generation": reply.generation(),
        "renewed": renewal.map(renewed),
        "elapsedMs": u64::try_from(reply.elapsed().as_millis()).unwrap_or(u64::MAX),
    });
    if let Some(path) = file {
        save(reply, path).await?;
        document["output"] = json!(path.display().to_string());
        return Ok(document);
    }
    match reply.content().await? {
        Content::Bytes(bytes) => document["bodyBase64"] = json!(Base64::encode_string(&bytes)),
        Content::Text(text) => document["body"] = json!(text),
    }
    Ok(document)
}

/// Every header with all its values, since one can come several times.
fn headers(headers: &HeaderMap) -> Value {
    let mut document = Map::new();
    for name in headers.keys() {
        let values = headers.get_all(name).iter();
        let values: Vec<_> = values
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        document.insert(name.to_string(), json!(values));
    }
    Value::Object(document)
}

fn renewed(renewal: &Renewal) -> Value {
    json!({
        "because": renewal.sign.to_string(),
        "by": match renewal.by {
            Renewer::Ourselves => "ourselves",
            _ => "other",
        },
        "what": match renewal.what {
            Renewed::Token => "token",
            _ => "login",
        },
        "generation": renewal.generation,
    })
}
