"""Which names a server goes by."""

import pytest
from starlette.datastructures import Headers

from mmdualformer.serving.guard import Guard, is_loopback


@pytest.mark.parametrize(
    ('bound', 'host', 'is_taken'),
    [
        ('127.0.0.1', 'localhost:8000', True),
        ('127.0.0.1', '192.168.1.2:8000', False),
        ('0.0.0.0', '192.168.1.2:8000', True),
        ('0.0.0.0', '[fe80::1]:8000', True),
        ('0.0.0.0', 'evil.example:8000', False),
        ('camera.local', 'camera.local:8000', True),
        ('::1', '[::1]:8000', True),
    ],
)
def test_names_that_dns_rebinding_cannot_have(bound, host, is_taken):
    reason = Guard(None, bound)._refuse('GET', Headers(dict(host=host)))
    assert (reason == '') == is_taken


def test_loopback():
    assert all(map(is_loopback, ('127.0.0.1', '127.0.0.2', '::1', 'localhost', 'LocalHost')))
    assert not any(map(is_loopback, ('0.0.0.0', '::', '10.0.0.1', 'localhost.example')))
