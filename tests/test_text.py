"""Addresses in texts lose their names and passwords, and nothing else."""

import pytest

from llm_routing_env.text import spellings, without_parameters, without_userinfo


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://alice:hunter2@proxy:3128/x", "http://[hidden]@proxy:3128/x"),
        ("407, url='http://alice:hunter2@127.0.0.1:44983'", "407, url='http://[hidden]@127.0.0.1:44983'"),
        ("http://u:p@[::1]:8000/v1", "http://[hidden]@[::1]:8000/v1"),
        ("https://token@host", "https://[hidden]@host"),
        ("http://u:p@ss:w@rd@host/a", "http://[hidden]@host/a"),
        ("http://u:it's\"<odd>@host", "http://[hidden]@host"),
        ("from http://a:b@one/x to http://c:d@two/y", "from http://[hidden]@one/x to http://[hidden]@two/y"),
        ("http://a:b@one,http://c:d@two", "http://[hidden]@one,http://[hidden]@two"),
        (r'{"url":"http:\/\/u:p@host\/v1"}', r'{"url":"http:\/\/[hidden]@host\/v1"}'),
        ("//u:p@host", "//[hidden]@host"),
        ("http://u:p@host/~me@home?to=you@there", "http://[hidden]@host/~me@home?to=you@there"),
        ("http://[hidden]@host", "http://[hidden]@host"),
    ],
)
def test_what_stands_before_a_host_is_blanked(text: str, expected: str):
    assert without_userinfo(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "http://host/v1",
        "http://host/~me@home",
        "http://[::1]:8000/a@b",
        "http://host?mail=me@there",
        "http://host#me@there",
        "http://host is down, ask me@there",
        "http://host\nme@there",
        "me@there",
        "a // b, c@d",
    ],
)
def test_other_texts_stay_as_they_are(text: str):
    assert without_userinfo(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://h/a?key=sesame", "https://h/a"),
        ("see 'https://h/a?key=sesame', or http://i#b", "see 'https://h/a', or http://i"),
        ("//h?x//y", "//h"),
        ("Why? a//b", "Why? a//b"),
        ("/a?b", "/a?b"),
    ],
)
def test_what_stands_behind_the_path_of_an_address_is_cut_off(text: str, expected: str):
    assert without_parameters(text) == expected


def test_a_secret_is_known_in_an_address_and_in_json_too():
    assert spellings("a/b +") == {"a/b +", "a/b%20%2B", "a%2Fb%20%2B", "a%2Fb+%2B"}
    assert 'a\\"b' in spellings('a"b')
