//! What a site file looks for in a reply: CSS selectors, JSONPaths, regular expressions.
//!
//! The only file that names their crates. Each is compiled once, when the site file is read.

use std::cell::OnceCell;
use std::fmt;

use jsonpath_rust::parser::model::JpQuery;
use jsonpath_rust::parser::parse_json_path;
use jsonpath_rust::query::js_path_process;
use scraper::{Html, Node, Selector};
use serde_json::Value;

/// A CSS selector.
#[derive(Clone)]
pub struct Css {
    source: String,
    selector: Selector,
}

/// A JSONPath (RFC 9535).
#[derive(Clone)]
pub struct JsonPath {
    source: String,
    query: JpQuery,
}

/// A regular expression.
#[derive(Clone)]
pub struct Regex {
    source: String,
    regex: regex::Regex,
}

/// The most memory that one compiled regular expression may take.
const MOST_REGEX: usize = 1 << 20;

/// The longest JSONPath and selector that is read.
const LONGEST: usize = 2_000;

impl Css {
    /// Reads a selector.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn parse(source: &str) -> Result<Self, String> {
        refuse_long(source)?;
        let selector = Selector::parse(source).map_err(|fault| css_fault(&fault))?;
        let source = source.to_owned();
        Ok(Self { source, selector })
    }
}

fn css_fault(fault: &scraper::error::SelectorErrorKind) -> String {
    use scraper::error::SelectorErrorKind as Kind;
    match fault {
        Kind::EndOfLine => "it ends too early",
        Kind::TooManyNestedBlocks => "it is nested too deeply",
        Kind::ExpectedColonOnPseudoElement | Kind::ExpectedIdentityOnPseudoElement => {
            "a pseudo-element's name is missing"
        }
        Kind::UnexpectedSelectorParseError(_) => "a pseudo-class or combinator isn't known",
        _ => "a character stands where none of its kind may",
    }
    .to_owned()
}

impl JsonPath {
    /// Reads a path.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn parse(source: &str) -> Result<Self, String> {
        refuse_long(source)?;
        if !source.starts_with('$') {
            return Err("a JSONPath starts with `$`, as in `$.token`".to_owned());
        }
        let query = parse_json_path(source)
            .map_err(|_fault| "it isn't a JSONPath by RFC 9535".to_owned())?;
        let source = source.to_owned();
        Ok(Self { source, query })
    }

    /// The first value that is neither null nor false.
    pub fn find<'a>(&self, json: &'a Value) -> Option<&'a Value> {
        let found = js_path_process(&self.query, json).ok()?;
        let mut values = found.into_iter().map(|found| found.val());
        values.find(|value| !matches!(value, Value::Null | Value::Bool(false)))
    }

    /// That value as a text.
    pub fn text(&self, json: &Value) -> Option<String> {
        match self.find(json)? {
            Value::String(text) => Some(text.clone()),
            other => Some(other.to_string()),
        }
    }
}

impl Regex {
    /// Reads a regular expression.
    ///
    /// # Errors
    ///
    /// What is wrong with it, in words.
    pub fn parse(source: &str) -> Result<Self, String> {
        let regex = regex::RegexBuilder::new(source)
            .size_limit(MOST_REGEX)
            .build();
        let regex = regex.map_err(|fault| regex_fault(&fault))?;
        let source = source.to_owned();
        Ok(Self { source, regex })
    }

    /// What the first group caught, or the whole match where there is no group.
    pub fn find<'a>(&self, text: &'a str) -> Option<&'a str> {
        let found = self.regex.captures(text)?;
        found.get(1).or(found.get(0)).map(|found| found.as_str())
    }
}

fn regex_fault(fault: &regex::Error) -> String {
    match fault {
        regex::Error::CompiledTooBig(_) => "it takes too much memory".to_owned(),
        // The crate draws the expression and marks the place; its last line says what is wrong.
        other => {
            let text = other.to_string();
            let last = text.lines().last().unwrap_or_default().trim();
            last.trim_start_matches("error: ").to_owned()
        }
    }
}

fn refuse_long(source: &str) -> Result<(), String> {
    match source.len() > LONGEST {
        true => Err(format!("it is longer than {LONGEST} bytes")),
        false => Ok(()),
    }
}

/// A body, read as far as rules ask for it.
pub struct Content<'a> {
    text: &'a str,
    is_html: bool,
    html: OnceCell<Html>,
    json: OnceCell<Option<Value>>,
    visible: OnceCell<String>,
}

impl fmt::Debug for Content<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content")
            .field("bytes", &self.text.len())
            .finish_non_exhaustive()
    }
}

impl<'a> Content<'a> {
    /// The body of a reply as text.
    pub fn new(text: &'a str, is_html: bool) -> Self {
        Self {
            text,
            is_html,
            html: OnceCell::new(),
            json: OnceCell::new(),
            visible: OnceCell::new(),
        }
    }

    /// The body as it is.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Whether a reader of the page sees these words.
    pub fn says(&self, words: &str) -> bool {
        match self.is_html {
            true => self.visible().contains(&one_line(words)),
            false => self.text.contains(words),
        }
    }

    fn visible(&self) -> &str {
        self.visible.get_or_init(|| visible(self.html()))
    }

    /// The body as JSON, where it is some.
    pub fn json(&self) -> Option<&Value> {
        let json = self
            .json
            .get_or_init(|| serde_json::from_str(self.text).ok());
        json.as_ref()
    }

    /// Whether the page has such an element.
    pub fn has(&self, css: &Css) -> bool {
        self.html().select(&css.selector).next().is_some()
    }

    /// The attribute of the first such element, or its text where no attribute is named.
    pub fn pick(&self, css: &Css, attribute: Option<&str>) -> Option<String> {
        let element = self.html().select(&css.selector).next()?;
        Some(match attribute {
            Some(name) => element.value().attr(name)?.to_owned(),
            None => element.text().collect::<String>().trim().to_owned(),
        })
    }

    /// As [`Content::pick`], of every such element that has it, in the page's order.
    pub fn pick_all(&self, css: &Css, attribute: Option<&str>) -> Vec<String> {
        let elements = self.html().select(&css.selector);
        let picked = elements.filter_map(|element| match attribute {
            Some(name) => element.value().attr(name).map(str::to_owned),
            None => Some(element.text().collect::<String>().trim().to_owned()),
        });
        picked.collect()
    }

    fn html(&self) -> &Html {
        self.html.get_or_init(|| match is_shallow(self.text) {
            true => Html::parse_document(self.text),
            false => Html::new_document(),
        })
    }
}

/// What is read of a page, on one line.
fn visible(html: &Html) -> String {
    const UNSEEN: [&str; 5] = ["head", "noscript", "script", "style", "template"];
    let mut words = String::new();
    for edge in html.tree.root().descendants() {
        let Node::Text(text) = edge.value() else {
            continue;
        };
        let mut around = edge
            .ancestors()
            .filter_map(|node| node.value().as_element());
        if !around.any(|element| UNSEEN.contains(&element.name())) {
            words.push_str(text);
            words.push(' ');
        }
    }
    one_line(&words)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Elements inside each other beyond which a page is not looked at: on deeper ones, looking takes
/// time that grows with the square of the page.
const DEEPEST: usize = 512;

/// Whether a page's tree is no deeper than those that people make. Counted roughly, too deep rather
/// than not deep enough: void elements and those that close by themselves count as open.
fn is_shallow(text: &str) -> bool {
    let tags = text.as_bytes().windows(2).filter(|pair| pair[0] == b'<');
    let mut open = 0_usize;
    let mut deepest = 0;
    for pair in tags {
        match pair[1] {
            b'/' => open = open.saturating_sub(1),
            letter if letter.is_ascii_alphabetic() => open += 1,
            _ => {}
        }
        deepest = deepest.max(open);
    }
    // A page with void elements alone is flat, whatever was counted.
    deepest <= DEEPEST || open_unbalanced(text) <= DEEPEST
}

/// The same count without the elements that have no end tag, or may leave it out; drawings close
/// theirs by a slash.
fn open_unbalanced(text: &str) -> usize {
    const UNCLOSED: [&str; 22] = [
        "area", "base", "br", "col", "dd", "dt", "embed", "hr", "img", "input", "li", "link",
        "meta", "option", "p", "param", "source", "td", "th", "tr", "track", "wbr",
    ];
    let mut open = 0_usize;
    let mut deepest = 0;
    // How deep it was where a drawing began.
    let mut drawing = None;
    for piece in text.split('<').skip(1) {
        let is_end = piece.starts_with('/');
        let name = piece.trim_start_matches('/');
        let end = name.find(|c: char| !c.is_ascii_alphanumeric());
        let name = end.and_then(|end| name.get(..end)).unwrap_or(name);
        let is = |other: &str| name.eq_ignore_ascii_case(other);
        let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic());
        let is_closed = drawing.is_some() && piece.split('>').next().is_some_and(ends_itself);
        if !starts_well || is_closed || UNCLOSED.iter().any(|void| is(void)) {
            continue;
        }
        match is_end {
            true if is("svg") => open = drawing.take().unwrap_or(open),
            true => open = open.saturating_sub(1),
            false => {
                if is("svg") && drawing.is_none() {
                    drawing = Some(open);
                }
                open += 1;
            }
        }
        deepest = deepest.max(open);
    }
    deepest
}

fn ends_itself(tag: &str) -> bool {
    tag.ends_with('/')
}

macro_rules! shown {
    ($($pattern:ty)*) => {$(
        impl fmt::Display for $pattern {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.source)
            }
        }

        impl fmt::Debug for $pattern {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.source)
            }
        }

        impl PartialEq for $pattern {
            fn eq(&self, other: &Self) -> bool {
                self.source == other.source
            }
        }

        impl Eq for $pattern {}
    )*};
}

shown!(Css JsonPath Regex);
