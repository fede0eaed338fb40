"""`make golden`: writes the traces anew."""

from tests.golden.traces import FOLDER, all_traces

for name, text in all_traces().items():
    (FOLDER / f"{name}.txt").write_text(text, encoding="utf-8")
    print(name)
