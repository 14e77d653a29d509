//! From the words of the command line to what a batch is asked to do.

use std::fs;
use std::io;
use std::path::{self, Path};

use sessile::batch::{BatchOptions, Bodies, Field, Patience, Targets, Template};

use super::of_batch;
use super::sessions::is_item;
use crate::args::{BatchArgs, BodyPlace};
use crate::exit::{Exit, Failure, Outcome};
use crate::items;
use crate::request::content::{self, Body, Content, Encoding, Inputs};

pub(super) fn targets(args: &BatchArgs, inputs: &mut Inputs) -> Outcome<(Targets, String)> {
    if args.targets == Path::new("-") {
        inputs.claim()?;
        let place = "standard input".to_owned();
        return Ok((Targets::reader(place.clone(), io::stdin()), place));
    }
    if let Some(output) = &args.output
        && is_same(&args.targets, output)
    {
        return Err(Failure::usage("--targets and --output name the same file").into());
    }
    let targets = Targets::file(&args.targets).map_err(of_batch)?;
    let place = path::absolute(&args.targets).unwrap_or_else(|_| args.targets.clone());
    Ok((targets, place.display().to_string()))
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((fs::canonicalize(one), fs::canonicalize(other)), (Ok(one), Ok(other)) if one == other)
}

pub(super) fn template(args: &BatchArgs, inputs: &mut Inputs) -> Outcome<Template> {
    let encoding = match (args.form, args.multipart) {
        (_, true) => Encoding::Multipart,
        (true, false) => Encoding::Form,
        (false, false) => Encoding::Json,
    };
    let first = args
        .pool
        .iter()
        .filter(|word| args.session.is_some() || is_item(word));
    let words: Vec<String> = first.chain(&args.items).cloned().collect();
    let items = items::parse_all(&words)
        .map_err(|bad| Failure::usage(bad.to_string()).hint(bad.advice()))?;
    let content = content::sort(items, encoding, inputs)?;
    let mut template = Template::new(args.method.clone());
    if let Some(url) = &args.url {
        template = template.url(url).map_err(Failure::from)?;
    }
    if args.repeatable {
        template = template.repeatable();
    }
    let template = fill(template, content, args.raw.clone(), inputs)?;
    if !template.has_place() {
        return Err(
            Failure::usage("neither --url nor an item has {target} in it")
                .hint("every target would be the same request; write {target} where it goes")
                .into(),
        );
    }
    Ok(template)
}

fn fill(
    mut template: Template,
    content: Content,
    raw: Option<String>,
    inputs: &mut Inputs,
) -> Result<Template, Failure> {
    for (name, value) in content.query {
        template = template.query(name, value);
    }
    for (name, value) in content.headers {
        template = match value {
            Some(value) => template.header(name, value),
            None => template.without_header(name),
        };
    }
    Ok(match (content.body, raw) {
        (Body::Empty, None) => template,
        (Body::Empty, Some(text)) => template.text(text),
        (_, Some(_)) => return Err(content::two_bodies()),
        (Body::Form(pairs), None) => template.form(pairs),
        (Body::Json(value), None) => template.json(value),
        (Body::Multipart(fields), None) => {
            let fields: Result<_, Failure> = fields.into_iter().map(field).collect();
            template.multipart(fields?)
        }
        (Body::Source(source), None) => template.bytes(inputs.bytes(&source)?),
    })
}

fn field(field: content::Field) -> Result<Field, Failure> {
    Ok(match field {
        content::Field::Text { name, text } => Field::Text { name, text },
        content::Field::File(file) => match file.source {
            items::Source::File(path) => Field::File {
                name: file.name,
                path,
                media_type: file.media_type,
            },
            items::Source::StandardInput => {
                let message = "a file from standard input can be sent once, not for every target";
                return Err(Failure::usage(message));
            }
        },
    })
}

pub(super) fn options(args: &BatchArgs) -> Outcome<BatchOptions> {
    let mut options = BatchOptions::default();
    options.concurrency = args.concurrency;
    options.patience = Patience::default();
    options.patience.attempts = args.attempts.get();
    options.bodies = match &args.body {
        BodyPlace::Directory(path) => {
            fs::create_dir_all(path).map_err(|error| {
                let message = format!("cannot make `{}`: {error}", path.display());
                Failure::new(Exit::Failed, "outputFile", message)
            })?;
            Bodies::Files(path.clone())
        }
        BodyPlace::Inline => Bodies::Inline(args.body_limit),
        BodyPlace::Nowhere => Bodies::Leave,
    };
    Ok(options)
}
