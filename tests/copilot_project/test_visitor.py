import pytest

from copilot_project.visitor import forwarded_address


@pytest.mark.parametrize(
    ("header", "proxies", "address"),
    [
        ("203.0.113.9", 0, None),
        ("203.0.113.9", 1, "203.0.113.9"),
        ("1.2.3.4, 203.0.113.9", 1, "203.0.113.9"),
        ("1.2.3.4, 203.0.113.9, 10.0.0.2", 2, "203.0.113.9"),
        ("10.0.0.2", 2, None),
        ("", 1, None),
        ("nonsense", 1, None),
        ("[2001:db8::1]", 1, "2001:db8::1"),
    ],
)
def test_only_what_our_own_proxies_saw_counts(header: str, proxies: int, address: str | None) -> None:
    assert forwarded_address(header, proxies=proxies) == address
