//! A page as a flat list of nodes in document order.
//!
//! Not a full HTML tree: it keeps what questions about forms and visible
//! text need. A control belongs to the form that is open when it is met, as
//! in a browser, also where a table tears the form's element away from it.
//! Bytes, depth and nodes are bounded; what lies beyond is not looked at.

use super::token::{Tag, Token, Tokens};

/// The nodes of a page.
#[derive(Debug, Default)]
pub(crate) struct Document {
    nodes: Vec<Node>,
}

/// An element, or a text where the name is empty.
#[derive(Debug, Default)]
pub(crate) struct Node {
    pub(crate) name: String,
    pub(crate) text: String,
    pub(crate) parent: Option<usize>,
    /// The form that was open here.
    pub(crate) form: Option<usize>,
    attributes: Vec<(String, String)>,
    /// Whether the markup says that this, or something around it, is not shown.
    is_concealed: bool,
    /// One past the last node inside.
    end: usize,
}

impl Node {
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn attributes(&self) -> &[(String, String)] {
        &self.attributes
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.attribute(name).is_some()
    }

    /// The attribute's value without surrounding space, unless it is empty.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.attribute(name)
            .map(str::trim)
            .filter(|value| !value.is_empty())
    }

    /// Whether the markup of this very element says that it is not shown.
    fn conceals(&self) -> bool {
        if matches!(self.name.as_str(), "template" | "script" | "style" | "head") {
            return true;
        }
        if self.has("hidden") {
            return true;
        }
        let style = self.attribute("style").unwrap_or_default();
        let style: String = style.to_ascii_lowercase().split_whitespace().collect();
        if style.contains("display:none") || style.contains("visibility:hidden") {
            return true;
        }
        let classes = self.attribute("class").unwrap_or_default();
        classes
            .split_whitespace()
            .any(|class| CONCEALING.contains(&class.to_ascii_lowercase().as_str()))
    }
}

impl Document {
    pub(crate) fn parse(html: &str) -> Self {
        let cut = html.floor_char_boundary(MAX_BYTES);
        let mut builder = Builder::default();
        for token in Tokens::new(html.get(..cut).unwrap_or(html)) {
            if builder.nodes.len() >= MAX_NODES {
                break;
            }
            match token {
                Token::Close(name) => builder.close(&name),
                Token::Open(tag) => builder.open(tag),
                Token::Text(text) => builder.text(text),
            }
        }
        builder.finish()
    }

    pub(crate) fn nodes(&self) -> impl Iterator<Item = (usize, &Node)> {
        self.nodes.iter().enumerate()
    }

    pub(crate) fn node(&self, at: usize) -> &Node {
        &self.nodes[at]
    }

    /// The elements around `at`, innermost first.
    pub(crate) fn ancestors(&self, at: usize) -> impl Iterator<Item = (usize, &Node)> {
        let first = self.nodes[at].parent;
        std::iter::successors(first, |up| self.nodes[*up].parent).map(|up| (up, &self.nodes[up]))
    }

    /// The nodes inside `at`.
    pub(crate) fn inside(&self, at: usize) -> impl Iterator<Item = (usize, &Node)> {
        let end = self.nodes[at].end.max(at + 1);
        (at + 1..end).map(|inner| (inner, &self.nodes[inner]))
    }

    /// Whether `at` is not shown, or would not be if `within` were.
    pub(crate) fn is_concealed(&self, at: usize, within: Option<usize>) -> bool {
        let node = &self.nodes[at];
        let inner = |within| {
            let around = self.ancestors(at).take_while(|(up, _)| *up != within);
            node.conceals() || around.into_iter().any(|(_, up)| up.conceals())
        };
        match within {
            Some(within) if self.nodes[within].is_concealed => inner(within),
            _ => node.is_concealed,
        }
    }

    /// The visible text inside `at`, on one line, of at most about `limit` bytes.
    pub(crate) fn text(&self, at: usize, limit: usize) -> String {
        // Many elements without a word must not make many pages' work of one.
        let end = self.nodes[at].end.clamp(at + 1, at + MAX_STEPS);
        let mut text = String::new();
        let mut next = at + 1;
        while next < end && text.len() <= limit {
            let node = &self.nodes[next];
            if node.conceals() || matches!(node.name.as_str(), "select" | "textarea") {
                next = node.end.max(next + 1);
                continue;
            }
            push_words(&mut text, &node.text);
            next += 1;
        }
        text
    }

    /// The text inside a script, as it stands.
    pub(crate) fn raw_text(&self, at: usize) -> &str {
        self.inside(at)
            .next()
            .map_or("", |(_, node)| node.text.as_str())
    }
}

/// Appends the words of `more`, one space between any two.
pub(crate) fn push_words(text: &mut String, more: &str) {
    for word in more.split_whitespace() {
        if !text.is_empty() {
            text.push(' ');
        }
        text.push_str(word);
    }
}

/// The words of `text`, one space between any two.
pub(crate) fn one_line(text: &str) -> String {
    let mut line = String::new();
    push_words(&mut line, text);
    line
}

const MAX_BYTES: usize = 4 << 20;
const MAX_DEPTH: usize = 256;
const MAX_NODES: usize = 300_000;
const MAX_STEPS: usize = 1_000;

const CONCEALING: [&str; 8] = [
    "d-none",
    "display-none",
    "hidden",
    "hide",
    "is-hidden",
    "ng-hide",
    "u-hidden",
    "uk-hidden",
];

const VOID: [&str; 15] = [
    "area", "base", "br", "col", "embed", "frame", "hr", "img", "input", "link", "meta", "param",
    "source", "track", "wbr",
];

const TABLE_PARTS: [&str; 7] = ["table", "tbody", "td", "tfoot", "th", "thead", "tr"];

/// Blocks that end an open paragraph.
const BLOCKS: [&str; 24] = [
    "address",
    "article",
    "aside",
    "blockquote",
    "div",
    "dl",
    "fieldset",
    "footer",
    "form",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "header",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "table",
    "ul",
];

#[derive(Default)]
struct Builder {
    nodes: Vec<Node>,
    /// The open elements, outermost first.
    open: Vec<usize>,
    form: Option<usize>,
}

impl Builder {
    fn text(&mut self, text: String) {
        let node = Node {
            text,
            ..Node::default()
        };
        self.add(node);
    }

    fn open(&mut self, tag: Tag) {
        if tag.name == "form" && self.form.is_some() {
            // A form inside a form is not one.
            return;
        }
        self.close_implied(&tag.name);
        let is_form = tag.name == "form";
        let is_void = VOID.contains(&tag.name.as_str());
        let in_table = self
            .top_name()
            .is_some_and(|name| matches!(name, "table" | "tbody" | "tfoot" | "thead" | "tr"));
        let at = self.add(Node {
            name: tag.name,
            attributes: tag.attributes,
            ..Node::default()
        });
        if is_form {
            self.form = Some(at);
            self.nodes[at].form = Some(at);
        }
        // A form directly in a table is an empty element with controls elsewhere.
        let is_empty = is_void || (is_form && in_table);
        if !is_empty && self.open.len() < MAX_DEPTH {
            self.open.push(at);
        }
    }

    fn add(&mut self, mut node: Node) -> usize {
        let at = self.nodes.len();
        node.parent = self.open.last().copied();
        node.form = self.form;
        let is_inside_concealed = node.parent.is_some_and(|up| self.nodes[up].is_concealed);
        node.is_concealed = is_inside_concealed || node.conceals();
        node.end = at + 1;
        self.nodes.push(node);
        at
    }

    fn top_name(&self) -> Option<&str> {
        self.open.last().map(|at| self.nodes[*at].name.as_str())
    }

    fn close_implied(&mut self, next: &str) {
        let (ends, within): (&[&str], &[&str]) = match next {
            "dd" | "dt" => (&["dd", "dt"], &["dl"]),
            "li" => (&["li"], &["ol", "ul", "menu"]),
            "option" => (&["option"], &["select", "datalist"]),
            "optgroup" => (&["option", "optgroup"], &["select"]),
            "td" | "th" => (&["td", "th"], &["tr"]),
            "tr" => (&["tr"], &["tbody", "tfoot", "thead"]),
            "tbody" | "tfoot" | "thead" => (&["tbody", "tfoot", "thead"], &[]),
            "body" => (&["head"], &[]),
            _ if BLOCKS.contains(&next) => (&["p"], &["button"]),
            _ => return,
        };
        // The outermost of the ended elements takes the inner ones with it.
        let mut cut = None;
        for (depth, at) in self.open.iter().enumerate().rev() {
            let name = self.nodes[*at].name.as_str();
            if ends.contains(&name) {
                cut = Some(depth);
                continue;
            }
            let is_barrier = within.contains(&name)
                || name == "table"
                || (matches!(name, "td" | "th" | "template") && !TABLE_PARTS.contains(&next));
            if is_barrier {
                break;
            }
        }
        if let Some(depth) = cut {
            self.pop_to(depth);
        }
    }

    fn close(&mut self, name: &str) {
        if name == "form" {
            return self.close_form();
        }
        let is_part = TABLE_PARTS.contains(&name);
        for depth in (0..self.open.len()).rev() {
            let open = self.nodes[self.open[depth]].name.as_str();
            if open == name {
                return self.pop_to(depth);
            }
            let is_barrier = match open {
                "table" => true,
                "td" | "th" | "template" => !is_part,
                _ => false,
            };
            if is_barrier {
                return;
            }
        }
    }

    /// Ends the form alone: what is open inside it stays open.
    fn close_form(&mut self) {
        let Some(form) = self.form.take() else { return };
        let end = self.nodes.len();
        if let Some(depth) = self.open.iter().rposition(|at| *at == form) {
            self.nodes[form].end = end;
            self.open.remove(depth);
        }
    }

    fn pop_to(&mut self, depth: usize) {
        let end = self.nodes.len();
        for at in self.open.drain(depth..) {
            self.nodes[at].end = end;
        }
    }

    fn finish(mut self) -> Document {
        self.pop_to(0);
        Document { nodes: self.nodes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_in_a_table_keeps_its_controls() {
        let html =
            "<table><form action=/in><tr><td><input name=u></td></tr></form></table><input name=x>";
        let page = Document::parse(html);
        let owner = |name: &str| {
            page.nodes()
                .find(|(_, node)| node.attribute("name") == Some(name))
                .map(|(_, node)| node.form.is_some())
        };
        assert_eq!(owner("u"), Some(true));
        assert_eq!(owner("x"), Some(false));
    }

    #[test]
    fn implied_ends_keep_texts_apart() {
        check("<ul><li class=x>one<li>two</ul>", "x", "one");
        check("<p class=x>one<div>two</div>", "x", "one");
        check("<table><tr><td class=x>one<td>two</table>", "x", "one");
        check(
            "<div class=x>a <b>b</b><br>c<script>no</script></div>d",
            "x",
            "a b c",
        );
        check("<div class=x>a<span hidden>no</span></div>", "x", "a");
    }

    #[test]
    fn hostile_depth_and_size_are_bounded() {
        let deep = "<div>".repeat(100_000);
        assert_eq!(Document::parse(&deep).nodes.len(), 100_000);
        let wide = "<b>x".repeat(200_000);
        assert!(Document::parse(&wide).nodes.len() <= MAX_NODES);
        let attributes: String = (0..100_000).map(|n| format!(" a{n}")).collect();
        assert_eq!(Document::parse(&format!("<a{attributes}>")).nodes.len(), 1);
    }

    #[track_caller]
    fn check(html: &str, class: &str, expected: &str) {
        let page = Document::parse(html);
        let found = page
            .nodes()
            .find(|(_, node)| node.attribute("class") == Some(class));
        let (at, _) = found.unwrap();
        assert_eq!(page.text(at, 200), expected, "{html}");
    }
}
