#!/usr/bin/env python3
"""A person's browser: opens a page and sends each form that comes, until a page has none.

Usage: person.py URL, as a browser is started. The name that is typed in is ada's, or USER_NAME;
with SAY_NO set the person leaves by the link that cancels. The last page goes to PAGE_FILE.
"""

import os
import sys
import urllib.parse
import urllib.request
from html.parser import HTMLParser
from http.cookiejar import CookieJar

PAGES = 12


class Page(HTMLParser):
    """The first form of a page, and where its links lead."""

    def __init__(self):
        super().__init__()
        self.action = None
        self.fields = {}
        self.links = []

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "a":
            self.links.append(attributes.get("href", ""))
        if tag == "form" and self.action is None:
            self.action = attributes.get("action", "")
        if tag in ("input", "button") and self.action is not None and attributes.get("name"):
            if attributes.get("type") != "submit":
                self.fields.setdefault(attributes["name"], attributes.get("value", ""))


def main(url):
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
    )
    form = None
    for _page in range(PAGES):
        with opener.open(url, form) as answer:
            url, text = answer.url, answer.read().decode()
        page = Page()
        page.feed(text)
        cancel = [link for link in page.links if link.endswith("/abort")]
        if os.environ.get("SAY_NO") and cancel:
            url, form = urllib.parse.urljoin(url, cancel[0]), None
            continue
        if page.action is None:
            break
        fields = page.fields
        if "login" in fields:
            fields |= {"login": os.environ.get("USER_NAME", "ada"), "password": "any"}
        url = urllib.parse.urljoin(url, page.action)
        form = urllib.parse.urlencode(fields).encode()
    if file := os.environ.get("PAGE_FILE"):
        with open(file, "w", encoding="utf-8") as out:
            out.write(text)


if __name__ == "__main__":
    main(sys.argv[1])
