"""gettext's catalogues: what is not translated yet is, with its placeholders; polib reads the rest as it was."""

import polib
import pytest

from seq2seq.documents.po import po
from seq2seq.errors import UserError
from tests.documents.translators import same, translated

SOURCE = r"""# a comment
msgid ""
msgstr ""
"Language: de\n"
"Plural-Forms: nplurals=2; plural=(n != 1);\n"

#: src/a.c:1
#, c-format
msgid "Copying %s to the \"trash\"."
msgstr ""

msgid "already"
msgstr "schon"

msgctxt "menu"
msgid ""
"two lines\n"
"of text\n"
msgstr ""

#, python-brace-format
msgid "{count} file of <b>{total}</b>"
msgid_plural "{count} files of <b>{total}</b>"
msgstr[0] ""
msgstr[1] ""

#~ msgid "old"
#~ msgstr ""
msgid "100% done"
msgstr ""
"""


def test_what_lacks_a_translation_gets_one() -> None:
    result = translated(po(SOURCE, True))
    expected = [
        ('t "trash"."', r'msgstr "\"TRASH\". THE %s TO COPYING"'),
        ("menu", 'msgstr ""\n"LINES TWO\\n"\n"TEXT OF\\n"'),
        ("brace", 'msgstr[0] "{count} OF FILE <b>{total}</b>"\nmsgstr[1] "{count} OF FILES <b>{total}</b>"'),
        ("done", 'msgstr "DONE 100%"'),
    ]
    assert all(part in result for _, part in expected), result
    assert result.splitlines()[:8] == SOURCE.splitlines()[:8]


@pytest.mark.parametrize("aligned", [True, False])
def test_polib_reads_all_else_as_it_was(aligned: bool) -> None:
    before, after = polib.pofile(SOURCE), polib.pofile(translated(po(SOURCE, aligned)))
    assert after.metadata == before.metadata and after.header == before.header
    assert len(before) == len(after) == 6
    for old, new in zip(before, after, strict=True):
        assert (old.msgid, old.msgctxt, old.flags, old.occurrences) == (
            new.msgid,
            new.msgctxt,
            new.flags,
            new.occurrences,
        )
        if old.msgstr or old.obsolete:
            assert new.msgstr == old.msgstr
        elif old.msgid_plural:
            assert {i: "{count}" in text and "{total}" in text for i, text in new.msgstr_plural.items()} == {0: 1, 1: 1}
        else:
            assert sorted(new.msgstr.lower().split()) == sorted(old.msgid.lower().split())
            assert new.msgstr.count("\n") == old.msgid.count("\n")


def test_translations_are_the_messages_where_words_stay() -> None:
    for entry in polib.pofile(translated(po(SOURCE, True), same)):
        assert entry.msgstr in ("schon", "", entry.msgid)
        assert entry.msgstr or entry.msgid_plural or entry.obsolete


def test_line_ends_stay() -> None:
    windows = SOURCE.replace("\n", "\r\n")
    assert translated(po(windows, True)) == translated(po(SOURCE, True)).replace("\n", "\r\n")


@pytest.mark.parametrize("bad", ['msgid x\nmsgstr ""\n', 'msgid "a"\nmsgstr "\n', "hello\n"])
def test_what_is_no_catalogue_is_refused_with_its_line(bad: str) -> None:
    with pytest.raises(UserError, match=r"line \d+: .* is no line of a \.po file"):
        po("# first\n" + bad, True)
