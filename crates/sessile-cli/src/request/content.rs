//! From the items of a request to its headers, query and body.

use std::fs::File;
use std::io::{self, Read};

use serde_json::{Map, Value};

use crate::exit::{Exit, Failure};
use crate::items::{FieldValue, FilePart, HeaderValue, Item, Source, Text};

/// How fields are written into the body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Encoding {
    /// `application/x-www-form-urlencoded`, or multipart where a file is among them.
    Form,
    /// One object.
    Json,
    /// `multipart/form-data`
    Multipart,
}

/// What the items add to a request.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Content {
    pub(crate) body: Body,
    /// In the order given; `None` leaves the session's own out.
    pub(crate) headers: Vec<(String, Option<String>)>,
    pub(crate) query: Vec<(String, String)>,
}

/// The body the items make.
#[derive(Debug, Default, PartialEq)]
pub(crate) enum Body {
    #[default]
    Empty,
    Form(Vec<(String, String)>),
    Json(Value),
    /// In the order given.
    Multipart(Vec<Field>),
    Source(Source),
}

/// A field of a multipart form.
#[derive(Debug, PartialEq)]
pub(crate) enum Field {
    File(FilePart),
    Text { name: String, text: String },
}

/// Standard input, which can be read once, and the files.
pub(crate) struct Inputs {
    standard_input: Option<Box<dyn Read + Send>>,
}

impl Inputs {
    /// Those of this process.
    pub(crate) fn of_process() -> Self {
        Self::new(Box::new(io::stdin()))
    }

    fn new(standard_input: Box<dyn Read + Send>) -> Self {
        Self {
            standard_input: Some(standard_input),
        }
    }

    /// A reader of a source; standard input is given away once.
    pub(crate) fn open(&mut self, source: &Source) -> Result<Box<dyn Read + Send>, Failure> {
        match source {
            Source::File(path) => {
                let file = File::open(path).map_err(|error| unreadable(source, &error))?;
                Ok(Box::new(file))
            }
            Source::StandardInput => self.standard_input.take().ok_or_else(|| {
                Failure::usage("standard input is asked for twice, and can be read once")
            }),
        }
    }

    /// Takes standard input for something else than the items.
    pub(crate) fn claim(&mut self) -> Result<(), Failure> {
        self.open(&Source::StandardInput).map(drop)
    }

    /// Everything that a source holds.
    pub(crate) fn bytes(&mut self, source: &Source) -> Result<Vec<u8>, Failure> {
        let mut bytes = Vec::new();
        self.open(source)?
            .read_to_end(&mut bytes)
            .map_err(|error| unreadable(source, &error))?;
        Ok(bytes)
    }

    fn text(&mut self, text: Text) -> Result<String, Failure> {
        match text {
            Text::Here(text) => Ok(text),
            Text::From(source) => String::from_utf8(self.bytes(&source)?)
                .map_err(|_| input(format!("{source} is not UTF-8 text"))),
        }
    }

    /// A text that goes on one line: the line end of its file isn't part of it.
    fn line(&mut self, text: Text) -> Result<String, Failure> {
        let mut line = self.text(text)?;
        if line.ends_with('\n') {
            line.pop();
        }
        if line.ends_with('\r') {
            line.pop();
        }
        Ok(line)
    }
}

/// Why a source can't be read.
pub(crate) fn unreadable(source: &Source, error: &io::Error) -> Failure {
    input(format!("cannot read {source}: {error}"))
}

fn input(message: String) -> Failure {
    Failure::new(Exit::Failed, "input", message)
}

/// Sorts the items by where they go, and reads what they name.
pub(crate) fn sort(
    items: Vec<Item>,
    encoding: Encoding,
    inputs: &mut Inputs,
) -> Result<Content, Failure> {
    let mut content = Content::default();
    let mut whole = None;
    let mut fields = Vec::new();
    for item in items {
        match item {
            Item::Body(source) if whole.is_none() => whole = Some(source),
            Item::Body(_) => return Err(two_bodies()),
            Item::Field { name, value } => fields.push(Given::Value(name, value)),
            Item::File(part) => fields.push(Given::File(part)),
            Item::Header { name, value } => content.headers.push((name, header(value, inputs)?)),
            Item::Query { name, value } => content.query.push((name, inputs.line(value)?)),
        }
    }
    content.body = match whole {
        Some(_) if !fields.is_empty() => return Err(two_bodies()),
        Some(source) => Body::Source(source),
        None if fields.is_empty() => Body::Empty,
        None => encode(fields, encoding, inputs)?,
    };
    Ok(content)
}

enum Given {
    File(FilePart),
    Value(String, FieldValue),
}

/// A request has one body.
pub(crate) fn two_bodies() -> Failure {
    Failure::usage("the request has more than one body")
        .hint("give either fields (name=value), or one whole body (@FILE, @- or --raw TEXT)")
}

fn header(value: HeaderValue, inputs: &mut Inputs) -> Result<Option<String>, Failure> {
    match value {
        HeaderValue::Remove => Ok(None),
        HeaderValue::Set(text) => inputs.line(text).map(Some),
    }
}

fn encode(fields: Vec<Given>, encoding: Encoding, inputs: &mut Inputs) -> Result<Body, Failure> {
    let has_file = fields.iter().any(|field| matches!(field, Given::File(_)));
    match encoding {
        Encoding::Form if !has_file => form(fields, inputs),
        Encoding::Form | Encoding::Multipart => multipart(fields, inputs),
        Encoding::Json => json(fields, inputs),
    }
}

fn json(fields: Vec<Given>, inputs: &mut Inputs) -> Result<Body, Failure> {
    let mut object = Map::new();
    for field in fields {
        let (name, value) = match field {
            Given::File(part) => return Err(file_in_json(&part)),
            Given::Value(name, value) => (name, value),
        };
        let value = json_value(&name, value, inputs)?;
        if object.insert(name.clone(), value).is_some() {
            return Err(
                Failure::usage(format!("the JSON field `{name}` is given twice"))
                    .hint(format!("a list is written {name}:='[\"one\",\"two\"]'")),
            );
        }
    }
    Ok(Body::Json(Value::Object(object)))
}

fn json_value(name: &str, value: FieldValue, inputs: &mut Inputs) -> Result<Value, Failure> {
    match value {
        FieldValue::Json(value) => Ok(value),
        FieldValue::JsonFile(source) => serde_json::from_slice(&inputs.bytes(&source)?)
            .map_err(|why| input(format!("field `{name}`: {source} is not JSON: {why}"))),
        FieldValue::Text(text) => inputs.text(text).map(Value::String),
    }
}

fn file_in_json(part: &FilePart) -> Failure {
    let FilePart { name, source, .. } = part;
    Failure::usage(format!(
        "JSON has no place for the file {source} of field `{name}`"
    ))
    .hint(format!(
        "add --form to upload it, or send its text with {name}=@FILE, its JSON with {name}:=@FILE"
    ))
}

fn form(fields: Vec<Given>, inputs: &mut Inputs) -> Result<Body, Failure> {
    let mut pairs = Vec::new();
    for field in fields {
        if let Given::Value(name, value) = field {
            let value = form_value(&name, value, inputs)?;
            pairs.push((name, value));
        }
    }
    Ok(Body::Form(pairs))
}

/// A form holds text: JSON goes into it as it is written.
fn form_value(name: &str, value: FieldValue, inputs: &mut Inputs) -> Result<String, Failure> {
    match json_value(name, value, inputs)? {
        Value::String(text) => Ok(text),
        other => Ok(other.to_string()),
    }
}

fn multipart(fields: Vec<Given>, inputs: &mut Inputs) -> Result<Body, Failure> {
    let field = |given| match given {
        Given::File(part) => Ok(Field::File(part)),
        Given::Value(name, value) => {
            let text = form_value(&name, value, inputs)?;
            Ok(Field::Text { name, text })
        }
    };
    let fields: Result<_, Failure> = fields.into_iter().map(field).collect();
    fields.map(Body::Multipart)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::items;
    use serde_json::json;

    #[test]
    fn fields_become_json() {
        check(
            Encoding::Json,
            &["a=1", "b:=2", "c:=[true]"],
            Ok(Body::Json(json!({"a": "1", "b": 2, "c": [true]}))),
        );
        check(
            Encoding::Json,
            &["a=1", "a=2"],
            Err("the JSON field `a` is given twice"),
        );
        check(
            Encoding::Json,
            &["up@cat.jpg"],
            Err("JSON has no place for the file `cat.jpg` of field `up`"),
        );
    }

    #[test]
    fn fields_become_a_form() {
        let pairs = [("a", "1"), ("a", "é"), ("n", "5"), ("o", "{\"k\":1}")];
        let pairs = pairs
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .to_vec();
        check(
            Encoding::Form,
            &["a=1", "a=é", "n:=5", "o:={\"k\": 1}"],
            Ok(Body::Form(pairs)),
        );
    }

    #[test]
    fn a_body_comes_alone_and_once() {
        check(
            Encoding::Json,
            &["@-"],
            Ok(Body::Source(Source::StandardInput)),
        );
        check(
            Encoding::Json,
            &["@-", "a=1"],
            Err("the request has more than one body"),
        );
        check(
            Encoding::Json,
            &["@a", "@b"],
            Err("the request has more than one body"),
        );
        check(Encoding::Json, &[], Ok(Body::Empty));
        check(
            Encoding::Form,
            &["a=@-", "b=@-"],
            Err("standard input is asked for twice, and can be read once"),
        );
    }

    #[test]
    fn a_text_is_read_from_where_it_is() {
        check(
            Encoding::Json,
            &["a=@-"],
            Ok(Body::Json(json!({"a": "from stdin\n"}))),
        );
        check(
            Encoding::Json,
            &["a:=@-"],
            Err("field `a`: standard input is not JSON: expected ident at line 1 column 2"),
        );
        check(
            Encoding::Json,
            &["a=@/nowhere/at all"],
            Err("cannot read `/nowhere/at all`: No such file or directory (os error 2)"),
        );
    }

    #[test]
    fn headers_and_query_are_single_lines() {
        let content = sorted(
            Encoding::Json,
            &["X-A:1", "X-B:", "X-C;", "q==a b", "X-D:@-"],
        )
        .unwrap();
        let header = |name: &str, value: Option<&str>| (name.to_owned(), value.map(str::to_owned));
        assert_eq!(
            content.headers,
            [
                header("X-A", Some("1")),
                header("X-B", None),
                header("X-C", Some("")),
                header("X-D", Some("from stdin")),
            ]
        );
        assert_eq!(content.query, [("q".to_owned(), "a b".to_owned())]);
    }

    #[test]
    fn a_file_makes_a_form_multipart() {
        let text = Field::Text {
            name: "t".into(),
            text: "x".into(),
        };
        let file = Field::File(FilePart {
            name: "up".into(),
            source: Source::File("cat.jpg".into()),
            media_type: None,
        });
        let both = Body::Multipart(vec![text, file]);
        check(Encoding::Form, &["t=x", "up@cat.jpg"], Ok(both));
    }

    fn sorted(encoding: Encoding, words: &[&str]) -> Result<Content, Failure> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let mut inputs = Inputs::new(Box::new(&b"from stdin\n"[..]));
        sort(items::parse_all(&words).unwrap(), encoding, &mut inputs)
    }

    #[track_caller]
    fn check(encoding: Encoding, words: &[&str], expected: Result<Body, &str>) {
        let found = sorted(encoding, words).map(|content| content.body);
        assert_eq!(
            found.map_err(|failure| failure.to_string()),
            expected.map_err(str::to_owned),
            "{words:?}"
        );
    }
}
