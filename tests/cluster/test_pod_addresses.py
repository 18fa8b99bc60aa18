"""A pod gets an address that no other pod has."""

import pytest

from tests.cluster.pod_addresses import LAST, PodAddresses


def test_addresses_begin_anew_when_each_was_given() -> None:
    addresses = PodAddresses("127.7.0")
    first = [addresses.free(()) for _ in LAST]
    assert len({*first}) == len(LAST)
    assert [addresses.free(()) for _ in LAST] == first


def test_an_address_in_use_is_not_given_again() -> None:
    addresses = PodAddresses("127.7.0")
    used, *free = [addresses.free(()) for _ in LAST]
    assert [addresses.free([used]) for _ in free] == free
    assert addresses.free([used]) == free[0]


def test_no_address_is_given_twice_when_all_are_in_use() -> None:
    addresses = PodAddresses("127.7.0")
    used = [addresses.free(()) for _ in LAST]
    with pytest.raises(RuntimeError, match="no address is free"):
        addresses.free(used)
