"""Word's documents, as python-docx reads them: texts are translated, formats go with their words, the rest stays."""

import io
import zipfile

import docx
import pytest
from docx.oxml import parse_xml

from seq2seq.decoding.translation import Translation
from seq2seq.documents.docx import Docx
from seq2seq.errors import UserError
from tests.documents.translators import reversing, same

W = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"


def made() -> bytes:
    """A document with a heading, formats, a table and a header."""
    document = docx.Document()
    document.add_heading("The big title", 1)
    paragraph = document.add_paragraph("A paragraph with ")
    paragraph.add_run("bold words").bold = True
    paragraph.add_run(" and & more")
    paragraph.add_run(", italic").italic = True
    paragraph.add_run("\tafter a tab\nafter a break.")
    table = document.add_table(1, 2)
    table.cell(0, 0).text, table.cell(0, 1).text = "cell one", "42"
    document.sections[0].header.paragraphs[0].text = "a header here"
    document.add_paragraph("  ")
    with_box = document.add_paragraph("beside a box")
    content = (
        f'<w:r xmlns:w="{W}"><w:pict><w:txbxContent><w:p>{R("text in a box")}</w:p></w:txbxContent></w:pict></w:r>'
    )
    with_box._p.append(parse_xml(content))
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def of_paragraph(inner: str) -> bytes:
    """A document of one paragraph."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(
            "word/document.xml", f'<w:document xmlns:w="{W}"><w:body><w:p>{inner}</w:p></w:body></w:document>'
        )
    return stream.getvalue()


def translated(source: bytes, aligned: bool = True, translate=reversing) -> bytes:  # type: ignore[no-untyped-def]
    document = Docx(source, aligned)
    found: list[Translation] = [translate(text) for text in document.texts]
    return document.render(found)


def paragraph(source: bytes) -> str:
    with zipfile.ZipFile(io.BytesIO(source)) as archive:
        xml = archive.read("word/document.xml").decode()
    return xml[xml.index("<w:p>") + 5 : xml.rindex("</w:p>")].replace(' xml:space="preserve"', "")


def test_texts_are_translated_in_their_formats() -> None:
    source = made()
    assert Docx(source, True).texts == [
        "text in a box", "The big title", "A paragraph with bold words and & more, italic", "after a tab",
        "after a break.", "cell one", "beside a box", "a header here",
    ]  # fmt: skip
    result = docx.Document(io.BytesIO(translated(source)))
    title, body, blank, beside = result.paragraphs
    assert (title.style.name, title.text) == ("Heading 1", "TITLE BIG THE")
    assert body.text == "ITALIC MORE, & AND WORDS BOLD WITH PARAGRAPH A\tTAB A AFTER\nBREAK. A AFTER"
    assert [run.text for run in body.runs if run.bold] == ["WORDS BOLD"]
    assert [run.text for run in body.runs if run.italic] == ["ITALIC"]
    assert [cell.text for cell in result.tables[0].row_cells(0)] == ["ONE CELL", "42"]
    assert result.sections[0].header.paragraphs[0].text == "HERE HEADER A"
    assert blank.text == "  " and beside.text == "BOX A BESIDE"
    (inside,) = beside._p.iter(f"{{{W}}}txbxContent")
    assert [text.text for text in inside.iter(f"{{{W}}}t")] == ["BOX A IN TEXT"]


@pytest.mark.parametrize("aligned", [True, False])
def test_identity_in_identity_out(aligned: bool) -> None:
    source = made()
    result = translated(source, aligned, same)
    before, after = docx.Document(io.BytesIO(source)), docx.Document(io.BytesIO(result))
    for old, new in zip(before.paragraphs, after.paragraphs, strict=True):
        formats = [
            [(letter, run.bold, run.italic) for run in one.runs for letter in run.text if letter.strip()]
            for one in (old, new)
        ]
        assert formats[0] == formats[1] and old.text == new.text and old.style.name == new.style.name
    with zipfile.ZipFile(io.BytesIO(source)) as old_zip, zipfile.ZipFile(io.BytesIO(result)) as new_zip:
        assert old_zip.namelist() == new_zip.namelist()
        same_bytes = [name for name in old_zip.namelist() if old_zip.read(name) == new_zip.read(name)]
        assert len(same_bytes) >= len(old_zip.namelist()) - 2  # document.xml and a header


R = "<w:r><w:t>{}</w:t></w:r>".format


def box(inner: str) -> str:
    """A text box of one paragraph as Word writes it: once more for readers that do not know it."""
    content = f"<w:txbxContent><w:p>{inner}</w:p></w:txbxContent>"
    return (
        f'<w:r><mc:AlternateContent><mc:Choice Requires="wps"><w:drawing><wps:txbx>{content}</wps:txbx></w:drawing>'
        f"</mc:Choice><mc:Fallback><w:pict><v:textbox>{content}</v:textbox></w:pict></mc:Fallback>"
        "</mc:AlternateContent></w:r>"
    )


@pytest.mark.parametrize(
    ("inner", "expected"),
    [
        (R("one ") + '<w:hyperlink r:id="1">' + R("two three") + "</w:hyperlink>" + R("."),
         '<w:hyperlink r:id="1">' + R("THREE. TWO") + "</w:hyperlink>" + R(" ONE")),
        ('<w:r><w:rPr><w:lang w:val="en"/></w:rPr><w:t>one </w:t></w:r>' + '<w:proofErr w:type="x"/>' + R("two"),
         R("TWO ONE")),
        (R("see") + "<w:r><w:footnoteReference/></w:r>" + R(" here"),
         R("HERE SEE") + "<w:r><w:footnoteReference/></w:r>"),
        ('<w:bookmarkStart w:id="1"/>' + R("one") + '<w:bookmarkEnd w:id="1"/>' + R(" two"),
         '<w:bookmarkStart w:id="1"/>' + R("TWO ONE") + '<w:bookmarkEnd w:id="1"/>'),
        ('<w:r><w:fldChar w:fldCharType="begin"/></w:r>' + R("no") + '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
         + R(" yes"),
         '<w:r><w:fldChar w:fldCharType="begin"/></w:r>' + R("no") + '<w:r><w:fldChar w:fldCharType="end"/></w:r>'
         + R(" ") + R("YES")),
        ("<w:pPr><w:x/></w:pPr>" + R("a &lt; b"), "<w:pPr><w:x/></w:pPr>" + R("B &lt; A")),
        (R("12 ") + "<w:r><w:drawing/></w:r>", R("12 ") + "<w:r><w:drawing/></w:r>"),
        ("<w:del>" + R("old") + "</w:del><w:ins>" + R("new one") + "</w:ins>",
         "<w:del>" + R("old") + "</w:del><w:ins>" + R("ONE NEW") + "</w:ins>"),
        (R("one ") + box(R("in a box") + box(R("in a box")) + "</w:p><w:p/><w:p>" + R("42")) + R("two"),
         box(R("BOX A IN") + box(R("BOX A IN")) + "</w:p><w:p/><w:p>" + R("42")) + R("TWO ONE")),
        (box(R("alone")), box(R("ALONE"))),
        ("<w:r><w:drawing><w:txbxContent/></w:drawing></w:r>" + R("one two"),
         "<w:r><w:drawing><w:txbxContent/></w:drawing></w:r>" + R("TWO ONE")),
        ("", ""),
    ],
)  # fmt: skip
def test_what_else_a_paragraph_holds(inner: str, expected: str) -> None:
    assert paragraph(translated(of_paragraph(inner))) == expected


@pytest.mark.parametrize("bad", [b"", b"PK\x03\x04rubbish", b"no zip"])
def test_what_is_no_such_document_is_refused(bad: bytes) -> None:
    with pytest.raises(UserError, match=r"no document of Word's \(\.docx\)"):
        Docx(bad, True)
    with pytest.raises(UserError, match=r"word/document.xml is no XML"):
        Docx(of_paragraph(R("a \x0277\x03")), True)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("other", bad)
    with pytest.raises(UserError, match="no word/document"):
        Docx(stream.getvalue(), True)
