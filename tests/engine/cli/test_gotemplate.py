"""`--format`: the answers were compared with Docker's own by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.cli.goeval import render
from engine.cli.gotemplate import TemplateError, parse
from engine.cli.rows import Row

DOCUMENT = {
    "Id": "sha256:90d6",
    "RepoTags": ["busybox:1.35", "busybox:latest"],
    "Os": "linux",
    "Ports": {"80/tcp": {}},
    "Size": 1984269,
    "State": {"Running": True, "Pid": 0, "Error": ""},
    "Config": {"Env": ["PATH=/bin", "A=b"], "Labels": {"b": "2", "a": "1"}, "Cmd": None},
    "Networks": {"bridge": {"IPAddress": "10.0.0.2"}},
}


def out(template: str, value: object = None) -> str:
    return render(parse(template), DOCUMENT if value is None else value)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{.Os}}", "linux"),
        ("{{ .Os | upper }}", "LINUX"),
        ("{{.State.Running}} {{.State.Pid}}", "true 0"),
        ("{{json .Config.Env}}", '["PATH=/bin","A=b"]'),
        ("{{json .Config.Labels}}", '{"b":"2","a":"1"}'),
        ("{{.Config.Labels}}", "map[a:1 b:2]"),
        ("{{.Config.Env}}", "[PATH=/bin A=b]"),
        ("{{.Config.Labels.missing}}", "<no value>"),
        ("{{index .RepoTags 1}}", "busybox:latest"),
        ('{{index .Config.Labels "a"}}', "1"),
        ('{{(index .Networks "bridge").IPAddress}}', "10.0.0.2"),
        ("{{range .Networks}}{{.IPAddress}}{{end}}", "10.0.0.2"),
        ("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}};{{end}}", "a=1;b=2;"),
        ("{{range $i, $e := .Config.Env}}{{if $i}},{{end}}{{$e}}{{end}}", "PATH=/bin,A=b"),
        ("{{range .Config.Cmd}}x{{else}}none{{end}}", "none"),
        ('{{join .RepoTags ", "}}', "busybox:1.35, busybox:latest"),
        ('{{split "a,b" ","}}', "[a b]"),
        ("{{len .RepoTags}}", "2"),
        ("{{.RepoTags | len}}", "2"),
        ('{{printf "%5.2f|%-5s|%q|%d" 1.0 "a" "b" 3}}', ' 1.00|a    |"b"|3'),
        ("{{println .Os}}", "linux\n"),
        ('{{print "a" 1 2 "b"}}', "a1 2b"),
        ('{{if eq .Os "windows" "linux"}}y{{else}}n{{end}}', "y"),
        ('{{if and .State.Running (not .State.Error)}}up{{else if eq .Os "x"}}x{{else}}down{{end}}', "up"),
        ("{{if gt .Size 1000000}}big{{end}}", "big"),
        ("{{with .State}}{{.Pid}}{{end}}", "0"),
        ("{{$x := .Os}}{{$x}}{{$.Os}}", "linuxlinux"),
        ('{{range .RepoTags}}{{.}} {{end}}{{- "z" -}}  q', "busybox:1.35 busybox:latest zq"),
        ('{{"a\\n"}}{{`raw\\n`}}', "a\nraw\\n"),
        ('{{pad "a" 1 2}}|', " a  |"),
        ("{{truncate .Os 3}}", "lin"),
        ("{{.Ports}}", "map[80/tcp:{}]"),
        ('{{printf "%q" .RepoTags}}', '["busybox:1.35" "busybox:latest"]'),
        ('{{js "a\'b"}}', "a\\'b"),
        ("{{title .Os}}", "Linux"),
        ("{{/* nothing */}}x", "x"),
        ("{{slice .Os 1 3}}", "in"),
        ('{{range .RepoTags}}{{if eq . "busybox:latest"}}{{break}}{{end}}{{.}}{{end}}', "busybox:1.35"),
        ("{{.id}}", "sha256:90d6"),
        ("no actions", "no actions"),
        ("", ""),
    ],
)
def test_templates_print_what_they_print_with_docker(template, text):
    assert out(template) == text


@pytest.mark.parametrize(
    ("template", "message"),
    [
        ("{{.Foo}}", 'executing "" at <.Foo>: map has no entry for key "Foo"'),
        ("{{foo}}", 'function "foo" not defined'),
        ("{{json .}", "bad character U+007D '}'"),
        ("{{.Os", "unclosed action"),
        ("{{if}}x{{end}}", "missing value for if"),
        ("{{if .Os}}x", "unexpected EOF"),
        ("{{end}}", "unexpected {{end}}"),
        ("{{break}}", "{{break}} outside {{range}}"),
        ("{{$y}}", 'undefined variable "$y"'),
        ("{{.Os.Foo}}", "can't evaluate field Foo in type"),
        ("{{index .RepoTags 9}}", "error calling index: index out of range: 9"),
        ("{{upper}}", "wrong number of args for upper"),
        ('{{"x}}', "unterminated quoted string"),
        ("{{(.Os}}", "unclosed left paren"),
        ("{{1 2}}", "can't give argument to non-function"),
    ],
)
def test_templates_that_make_no_sense_are_refused_in_the_words_of_go(template, message):
    with pytest.raises(TemplateError) as refused:
        out(template)
    assert message in refused.value.message


def test_the_fields_of_a_row_are_computed_only_when_asked_for():
    asked = []
    row = Row({"A": lambda: asked.append("A") or "a", "B": lambda: asked.append("B") or "b"}, {"Label": str.upper})
    assert out('{{.A}}{{.Label "x"}}', row) == "aX"
    assert asked == ["A"]
    assert out("{{json .}}", row) == '{"A":"a","B":"b"}'


@given(st.text(st.sampled_from("{}.$|()\"`' \\-abjsonrangeifend12:=,/*"), max_size=40))
def test_no_template_ends_in_anything_but_text_or_a_template_error(template):
    try:
        out(template)
    except TemplateError:
        return
