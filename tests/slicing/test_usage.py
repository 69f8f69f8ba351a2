import pytest

from labkit.slicing.usage import usage


def test_what_is_known_is_multiplied() -> None:
    found = usage(
        250,
        7200,
        price_per_kg=24,
        power_w=90,
        co2e_kg_per_kg=2.4,
        grid_co2e_kg_per_kwh=0.4,
        price_per_kwh=0.3,
    )
    assert found.energy_kwh == pytest.approx(0.18)
    assert (found.material_cost, found.energy_cost) == pytest.approx((6, 0.054))
    assert found.cost == pytest.approx(6.054)
    assert (found.material_co2e_kg, found.energy_co2e_kg) == pytest.approx((0.6, 0.072))
    assert found.co2e_kg == pytest.approx(0.672)


def test_what_is_not_known_is_not_guessed() -> None:
    found = usage(250, 7200, price_per_kg=24, co2e_kg_per_kg=2.4)
    assert found.material_cost == 6 and found.material_co2e_kg == pytest.approx(0.6)
    assert found.energy_kwh is found.energy_cost is found.cost is found.co2e_kg is None
    free = usage(0, 0, price_per_kg=0, power_w=0, price_per_kwh=0)
    assert free.cost == 0 and free.energy_kwh == 0


def test_less_than_nothing_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="-1 g"):
        usage(-1, 5)
