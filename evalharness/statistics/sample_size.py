"""How many images it takes to tell two runs apart."""

import math

from evalharness.lazy import LazyModule

stats = LazyModule("scipy.stats")


def num_images_to_tell(
    discordant_rate: float, difference: float, power: float = 0.8, alpha: float = 0.05
) -> int | None:
    """Images that a two-sided McNemar test needs to find a difference in accuracy.

    n = (z_{1-α/2} √ψ + z_power √(ψ - δ²))² / δ², where ψ is the share of images that exactly one of the two runs gets
    right and δ the difference (Connor 1987, Biometrics 43; Lachenbruch 1992, Statistics in Medicine 11). The formula
    is that of the test by normal approximation; the exact test is a little more cautious, and needs some per cent more.

    Args:
        discordant_rate: ψ, 0 to 1, as seen on the images at hand.
        difference: δ, such as 0.02 for two points.
        power: Probability of finding it.
        alpha: Level of the test.

    Returns:
        The number of images, rounded up; None where it is not defined: two runs cannot differ by more than the share
        of images on which they disagree, and no number of images finds a difference of zero.
    """
    if not 0 < difference <= discordant_rate:
        return None
    by_chance = float(stats.norm.ppf(1 - alpha / 2)) * math.sqrt(discordant_rate)
    under_difference = float(stats.norm.ppf(power)) * math.sqrt(discordant_rate - difference**2)
    return math.ceil(((by_chance + under_difference) / difference) ** 2)
