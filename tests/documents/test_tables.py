"""Tables: one column, or field, is translated; every other byte stays."""

import csv
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.documents.tables import json_lines, separated
from seq2seq.errors import UserError
from tests.documents.translators import same, translated


@pytest.mark.parametrize(
    ("source", "column", "expected"),
    [
        ("id,text\n1,one two\n2,three\n", "text", "id,text\n1,TWO ONE\n2,THREE\n"),
        ("1,one two\r\n2,three four", "1", "1,TWO ONE\r\n2,FOUR THREE"),
        ("a;b\n1;one, two\n", "b", "a;b\n1;TWO ONE,\n"),
        ('x,"a ""big"" dog, here"\n', "1", 'x,"HERE DOG, ""BIG"" A"\n'),
        ('x,"two\nlines of it",y\n', "1", 'x,"TWO\nIT OF LINES",y\n'),
        ('"the text",n\n"a b",1\n', "the text", '"the text",n\n"B A",1\n'),
        ("1,12.5\n\n2, \n", "1", "1,12.5\n\n2, \n"),
        ("a,\n,b c\n", "1", "a,\n,C B\n"),
        ("", "0", ""),
    ],
)
def test_a_column_of_csv(source: str, column: str, expected: str) -> None:
    document = separated(source, column, ",;|")
    assert translated(document) == expected
    assert translated(document, same) == source


def test_a_translation_that_needs_quotes_gets_them() -> None:
    assert translated(separated("a b,x\n", "0", ","), lambda text: same('b, "a"')) == '"b, ""a""",x\n'
    assert translated(separated("a b\tx\n", "0", "\t"), lambda text: same('b, "a"\tc')) == 'b, "a" c\tx\n'


def test_tabs_part_columns_and_quotes_are_text() -> None:
    assert translated(separated('1\t"one two\t3\n', "1", "\t")) == '1\tTWO "ONE\t3\n'


@pytest.mark.parametrize(
    ("source", "column", "words"),
    [
        ("a,b\n1,2\n", "c", "line 1: no column 'c' there; name one of 'a', 'b'"),
        ("a,b\nx\n", "1", "line 2: 1 column, but column 1 (from 0)"),
        ('"a\nb",c\n"d" e,f\n', "1", "line 3: not CSV: a quote is not closed"),
        ('a,"never closed\n', "0", "line 1: not CSV"),
    ],
)
def test_what_is_no_table_is_refused_with_its_line(source: str, column: str, words: str) -> None:
    with pytest.raises(UserError) as refused:
        separated(source, column, ",")
    assert words in str(refused.value)


@given(st.lists(st.lists(st.text('ab ,"\n;é', max_size=6), min_size=2, max_size=2), min_size=1, max_size=5))
def test_what_pythons_csv_writes_is_read_as_it_does(rows: list[list[str]]) -> None:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    document = separated(stream.getvalue(), "1", ",")
    assert translated(document, same).count("\n") == stream.getvalue().count("\n")
    found = list(csv.reader(io.StringIO(translated(document, lambda text: same('x,"y"')), newline="")))
    expected = [
        [
            first,
            "\n".join(line.replace(line.strip(), 'x,"y"') if line.strip(' ,";') else line for line in text.split("\n")),
        ]
        for first, text in rows
    ]
    assert [row for row in found if row] == expected


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('{"id": 1, "text": "one two", "x": {"text": "no"}}', '{"id": 1, "text": "TWO ONE", "x": {"text": "no"}}'),
        ('{ "text" :"a \\"b\\"","y":[1,  2]} ', '{ "text" :"\\"B\\" A","y":[1,  2]} '),
        ('{"text": "caf\\u00e9 au"}', '{"text": "AU CAF\\u00c9"}'),
        ('{"text": "café au"}', '{"text": "AU CAFÉ"}'),
        ('{"text": "a b\\nc d"}', '{"text": "B A\\nD C"}'),
        ('{"text": null}', '{"text": null}'),
        ('{"text": "12\\/3"}', '{"text": "12\\/3"}'),
        ('{"text": "a", "text": "b c"}', '{"text": "a", "text": "C B"}'),
        ("", ""),
    ],
)
def test_a_field_of_json_lines(line: str, expected: str) -> None:
    assert translated(json_lines(line + "\r\n" + line, "text")) == expected + "\r\n" + expected


@pytest.mark.parametrize("line", ["[1]", "{", '{"x": 1}', '{"text": 1}', '{"text": "a"} b', "1"])
def test_what_is_no_such_object_is_refused_with_its_line(line: str) -> None:
    with pytest.raises(UserError, match="line 2: "):
        json_lines('{"text": "a"}\n' + line, "text")


@given(st.dictionaries(st.text(max_size=4), st.none() | st.floats(allow_nan=False) | st.text(max_size=5), max_size=4))
def test_other_fields_stay(record: dict[str, object]) -> None:
    line = json.dumps(record | {"text": "one two"})
    assert json.loads(translated(json_lines(line, "text"))) == record | {"text": "TWO ONE"}
