"""What a print takes: material, energy, money, greenhouse gases; unknown where nothing is known."""

from dataclasses import dataclass

JOULES_PER_KWH = 3.6e6


@dataclass(frozen=True)
class Usage:
    """What one print takes; None where a number that it rests on is not known.

    Parameters
    ----------
    material_cost, energy_cost, cost : in the currency of the prices; the last is their sum.
    energy_kwh : mean power times time.
    material_co2e_kg, energy_co2e_kg, co2e_kg : greenhouse gases as carbon dioxide; the last
        is their sum.
    """

    material_cost: float | None
    energy_cost: float | None
    cost: float | None
    energy_kwh: float | None
    material_co2e_kg: float | None
    energy_co2e_kg: float | None
    co2e_kg: float | None


def usage(
    mass_g: float,
    time_s: float,
    *,
    price_per_kg: float | None = None,
    power_w: float | None = None,
    co2e_kg_per_kg: float | None = None,
    grid_co2e_kg_per_kwh: float | None = None,
    price_per_kwh: float | None = None,
) -> Usage:
    """What a print of this mass and time takes; nothing that is not given is guessed.

    Heating up, failed prints, supports that are thrown away elsewhere and the making of the
    printer are not in it.

    Parameters
    ----------
    power_w : mean electrical power while printing, as measured at the plug.
    co2e_kg_per_kg : of the material, cradle to gate.
    grid_co2e_kg_per_kwh : of the electricity, as the supplier states it.
    """
    if mass_g < 0 or time_s < 0:
        raise ValueError(f"{mass_g:g} g in {time_s:g} s")
    mass_kg = mass_g / 1000
    energy_kwh = _product(power_w, time_s / JOULES_PER_KWH)
    material_cost, energy_cost = (
        _product(price_per_kg, mass_kg),
        _product(price_per_kwh, energy_kwh),
    )
    material_co2e = _product(co2e_kg_per_kg, mass_kg)
    energy_co2e = _product(grid_co2e_kg_per_kwh, energy_kwh)
    return Usage(
        material_cost=material_cost,
        energy_cost=energy_cost,
        cost=_sum(material_cost, energy_cost),
        energy_kwh=energy_kwh,
        material_co2e_kg=material_co2e,
        energy_co2e_kg=energy_co2e,
        co2e_kg=_sum(material_co2e, energy_co2e),
    )


def _product(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first * second


def _sum(first: float | None, second: float | None) -> float | None:
    return None if first is None or second is None else first + second
