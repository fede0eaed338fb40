"""The filters of the dialect: these and no others (liquid.md section 5). Each group has a file."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

from journeys.engine.content.compare import is_empty, truthy
from journeys.engine.content.filters import arrays, dates, encoding, hashes, json, maths, texts

Filter = Callable[..., Any]


def default(value: Any, other: Any = "", *, allow_false: Any = False) -> Any:
    """Something else for nil, false and what is empty (F1); false may be allowed."""
    missing = value is None if truthy(allow_false) else not truthy(value)
    return other if missing or is_empty(value) else value


FILTERS: Mapping[str, Filter] = {
    # lists
    "join": arrays.join, "first": arrays.first, "last": arrays.last, "compact": arrays.compact, "concat": arrays.concat,
    "map": arrays.map_, "reverse": arrays.reverse, "size": arrays.size, "slice": arrays.slice_, "sort": arrays.sort,
    "sort_natural": arrays.sort_natural, "uniq": arrays.uniq, "where": arrays.where, "split": arrays.split,
    # arithmetic
    "abs": maths.abs_, "at_most": maths.at_most, "at_least": maths.at_least, "ceil": maths.ceil,
    "divided_by": maths.divided_by, "floor": maths.floor, "minus": maths.minus, "plus": maths.plus,
    "round": maths.round_, "times": maths.times, "modulo": maths.modulo, "money": maths.money,
    "number_with_delimiter": maths.number_with_delimiter,
    # texts
    "append": texts.append, "capitalize": texts.capitalize, "downcase": texts.downcase, "escape": texts.escape,
    "lstrip": texts.lstrip, "newline_to_br": texts.newline_to_br, "prepend": texts.prepend, "remove": texts.remove,
    "remove_first": texts.remove_first, "replace": texts.replace, "replace_first": texts.replace_first,
    "rstrip": texts.rstrip, "strip": texts.strip, "strip_html": texts.strip_html,
    "strip_newlines": texts.strip_newlines, "truncate": texts.truncate, "truncatewords": texts.truncatewords,
    "upcase": texts.upcase,
    # digests
    "md5": hashes.md5, "sha1": hashes.sha1, "sha2": hashes.sha2, "hmac_sha1": hashes.hmac_sha1_hex,
    "hmac_sha1_hex": hashes.hmac_sha1_hex, "hmac_sha1_base64": hashes.hmac_sha1_base64,
    "hmac_sha256": hashes.hmac_sha256_hex, "hmac_sha256_hex": hashes.hmac_sha256_hex,
    "hmac_sha256_base64": hashes.hmac_sha256_base64, "hmac_sha512": hashes.hmac_sha512,
    # encodings
    "base64_encode": encoding.base64_encode, "base64_decode": encoding.base64_decode,
    "url_encode": encoding.url_encode, "url_escape": encoding.url_escape,
    "url_param_escape": encoding.url_param_escape, "json_escape": json.json_escape, "json_parse": json.json_parse,
    "as_json_string": json.as_json_string,
    # all else
    "property_accessor": json.property_accessor, "default": default, "date": dates.date, "time_zone": dates.time_zone,
}  # fmt: skip


class Takes(NamedTuple):
    """How many arguments a filter takes, and which it takes by name."""

    least: int
    most: int
    named: frozenset[str]


@cache
def takes(name: str) -> Takes:
    """What a filter takes beside its value."""
    given = list(inspect.signature(FILTERS[name]).parameters.values())[1:]
    placed = [one for one in given if one.kind is not one.KEYWORD_ONLY]
    named = frozenset(one.name for one in given if one.kind is one.KEYWORD_ONLY and one.name != "context")
    return Takes(sum(one.default is one.empty for one in placed), len(placed), named)
