import pytest

from mmdualformer import processes
from mmdualformer.errors import UserError, describe, printable

FORGED = 'a\n\x1b[2Kerror: all is well\r\u202e\ud800'


def test_what_would_move_the_cursor_is_escaped():
    assert printable(FORGED) == r'a\n\x1b[2Kerror: all is well\r\u202e\ud800'
    assert printable('Räder, 車 and \\n') == 'Räder, 車 and \\n'


@pytest.mark.parametrize('kind', [UserError, RuntimeError, KeyError])
def test_errors_are_one_line(kind):
    line = describe(kind(f'checkpoint {FORGED}'))
    assert line.isprintable()
    assert kind is not UserError or line == f'checkpoint {printable(FORGED)}'


def test_an_error_of_a_worker_is_its_last_line():
    trace = 'Caught UserError in DataLoader worker process 0.\nTraceback:\nmmdualformer.errors.UserError: no video'
    assert describe(UserError(trace)) == 'no video'


def test_reports_are_one_line(capsys, monkeypatch):
    monkeypatch.delenv('TORCHELASTIC_ERROR_FILE', raising=False)
    processes.report(FORGED)
    assert capsys.readouterr().err == f'error: {printable(FORGED)}\n'
