"""Who hears and speaks: one page at a time."""

from __future__ import annotations

from gip_nb.notebook.lease import Lease


def lease_of(page: str, tab: str) -> Lease:
    lease = Lease()
    lease.introduce(page, tab)
    lease.grant(page, 0.0)
    return lease


def test_a_page_that_said_goodbye_gets_it_back_in_its_tab_only() -> None:
    lease = lease_of("a1", "a")
    assert lease.leave("a1")
    assert lease.page is None
    assert lease.wanted
    lease.introduce("b1", "b")
    assert not lease.comes_back("b1", 0.1)
    lease.introduce("a2", "a")
    assert lease.comes_back("a2", 0.1)
    # The same page too: its last view went, and one came again.
    lease.introduce("a1", "a")
    assert lease.comes_back("a1", 0.1)


def test_a_page_that_went_without_a_word_is_missed_after_a_while() -> None:
    lease = lease_of("a1", "a")
    lease.introduce("a2", "a")
    lease.seen("a1", 5.0)
    assert not lease.comes_back("a2", 6.0), "a duplicated tab has the same name"
    assert lease.comes_back("a2", 7.5)


def test_a_duplicated_tab_that_was_there_before_does_not_come_back_for_it() -> None:
    lease = Lease()
    for page in ("a1", "copy"):
        lease.introduce(page, "a")
    lease.grant("a1", 0.0)
    lease.leave("a1")
    assert not lease.comes_back("copy", 9.0)
    lease.introduce("a2", "a")
    assert lease.comes_back("a2", 9.0)


def test_only_who_has_it_can_leave_or_be_seen() -> None:
    lease = lease_of("a1", "a")
    lease.seen("b1", 9.0)
    assert lease.absent(9.0)
    assert not lease.leave("b1")
    assert lease.page == "a1"


def test_a_talk_that_is_over_is_nobodys() -> None:
    lease = lease_of("a1", "a")
    lease.end()
    lease.introduce("a2", "a")
    assert not lease.wanted
    assert not lease.comes_back("a2", 99.0)


def test_a_page_that_never_introduced_itself_is_a_tab_of_its_own() -> None:
    lease = Lease()
    lease.grant("x", 0.0)
    lease.leave("x")
    lease.introduce("y", "tab of y")
    assert not lease.comes_back("y", 9.0)


def test_it_remembers_a_bounded_number_of_pages() -> None:
    lease = lease_of("first", "t")
    for n in range(1000):
        lease.introduce(f"p{n}", "other")
    assert len(lease._pages) <= 64
