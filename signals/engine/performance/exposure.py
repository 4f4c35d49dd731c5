import numpy as np
import numpy.typing as npt


def exposure(positions: npt.ArrayLike) -> float:
    """Share of the periods in which something was held, in [0, 1]; NaN of nothing.

    `positions`: 1-D, one value per period, signed, in any unit, 0 for none. ValueError for NaN or infinity.
    """
    held = np.asarray(positions, dtype=np.float64)
    if held.ndim != 1 or not np.isfinite(held).all():
        raise ValueError("positions must be 1-D and finite, 0 where nothing was held")
    return float((held != 0).mean()) if len(held) else np.nan
