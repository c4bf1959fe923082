"""Small documents of every kind for tests, made here byte by byte so that what is in them is known."""

import io
import zipfile
from collections.abc import Sequence

import docx


def pdf(pages: Sequence[Sequence[str]], *, encrypted: bool = False) -> bytes:
    """A PDF with one line of text per string of a page; `encrypted` asks for a password nobody knows."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"", b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>"]
    kids = []
    for lines in pages:
        content = ["BT /F1 11 Tf 50 780 Td 14 TL"]
        for line in lines:
            escaped = line.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
            content.append(f"({escaped}) Tj T*")
        stream = "\n".join([*content, "ET"]).encode("cp1252")
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream))
        kids.append(b"%d 0 R" % (len(objects) + 1))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R >> >> >>" % len(objects)
        )
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (b" ".join(kids), len(kids))
    out, places = bytearray(b"%PDF-1.4\n"), []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    lock = b""
    if encrypted:
        key = b"<" + b"5a" * 32 + b">"
        lock = b"/Encrypt << /Filter /Standard /V 1 /R 2 /O %s /U %s /P -4 >> /ID [<00> <00>] " % (key, key)
    out += b"trailer\n<< /Size %d /Root 1 0 R %s>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, lock, start)
    return bytes(out)


def word() -> bytes:
    """A DOCX with headings, nested lists, a table with a table inside, raised digits and a line break."""
    document = docx.Document()
    document.add_heading("Water plan", 0)
    document.add_heading("Where we stand", 1)
    document.add_paragraph("There are 97 cisterns. Each holds 16,000 litres.")
    document.add_paragraph("first point", style="List Bullet")
    document.add_paragraph("nested point", style="List Bullet 2")
    document.add_paragraph("numbered", style="List Number")
    raised = document.add_paragraph("Area of 5 m")
    raised.add_run("2").font.superscript = True
    raised.add_run(" only.").add_break()
    raised.add_run("Second line — ação 👩‍🌾.")
    table = document.add_table(rows=2, cols=2)
    for row, cells in zip(table.rows, (("Year", "Rain"), ("2024", "612 mm")), strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    inner = table.rows[1].cells[1].add_table(rows=1, cols=1)
    inner.rows[0].cells[0].text = "inner 7"
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()


def zip_bomb(unpacked_bytes: int) -> bytes:
    """A DOCX whose only part unpacks from almost nothing to `unpacked_bytes`."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        with archive.open("word/document.xml", "w", force_zip64=True) as part:
            for _ in range(unpacked_bytes >> 20):
                part.write(bytes(1 << 20))
    return stream.getvalue()
