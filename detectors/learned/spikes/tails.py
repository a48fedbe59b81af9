"""Tails of the negative binomial distribution, for whole arrays, in closed form.

A count with mean m and relative variance v above that of chance (its variance is m + v m^2) is a
Gamma mixture of Poissons: negative binomial of size r = 1/v (Johnson, Kemp and Kotz, Univariate
Discrete Distributions, 3rd ed., 5.3).

A count is discrete, so P(K >= k) of a benign count is not uniform but too large: seldom below 0.01,
with small means. The mid-p value P(K > k) + P(K = k) / 2 has mean 1/2 as a uniform one has
(Lancaster, Significance tests in discrete distributions, JASA 56, 1961), and is what decides here.
Randomised p-values would be uniform, but then a coin would decide whether somebody is woken.

The mid-p value is what the saddlepoint formula without a correction for lattices gives (Davison
and Wang, Saddlepoint approximations as smoothers, Biometrika 89, 2002). The saddlepoint of k is
s = ln(k / m) - ln((k + r) / (m + r)), with K(s) = -r ln(1 - m (e^s - 1) / r) and K''(s) =
k + k^2 / r; with w the signed root of 2 (s k - K(s)) and u = s sqrt(K''(s)), the tail is that of a
normal variable at w + ln(u / w) / w (Barndorff-Nielsen's r*, Biometrika 73, 1986). Against exact
sums it is within 10 % for counts of 20 and more, and however unlikely within 20 %; for counts of 1
to 10 it may be three times too small, which the least effects of the detectors keep from mattering.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Relative variance below which a count is as good as Poisson.
LEAST_SPREAD: Final = 1e-6

#: Counts nearer to the mean than this many standard deviations are taken as so far: u / w is 0 / 0.
_APART: Final = 1e-3

#: The complementary error function to 1.2e-7 of its size (Press et al., Numerical Recipes, 6.2).
_ERFC: Final = (
    -1.26551223,
    1.00002368,
    0.37409196,
    0.09678418,
    -0.18628806,
    0.27886807,
    -1.13520398,
    1.48851587,
    -0.82215223,
    0.17087277,
)


def _normal(z: Floats) -> Floats:
    """Return P(N > z) of a standard normal variable."""
    x = np.abs(z) / np.sqrt(2.0)
    t = 1.0 / (1.0 + 0.5 * x)
    power = np.zeros_like(x)
    for term in reversed(_ERFC):
        power = power * t + term
    tail = 0.5 * t * np.exp(-x * x + power)
    found: Floats = np.where(z >= 0, tail, 1.0 - tail)
    return found


def _deviate(count: Floats, mean: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """Return the normal deviate of each count, and half the chance of a count of 0."""
    least = np.maximum(spread, LEAST_SPREAD)
    size = 1.0 / least
    m = np.maximum(mean, 1e-12)
    apart = _APART * np.sqrt(m + least * m * m)
    k = np.where(np.abs(count - m) < apart, m + apart, np.maximum(count, 1e-9))
    ratio = np.log(k / m)
    both = np.log1p((k - m) / (m + size))
    deviance = 2.0 * (k * ratio - (k + size) * both)
    w = np.sign(k - m) * np.sqrt(np.maximum(deviance, 1e-12))
    u = (ratio - both) * np.sqrt(k + k * k * least)
    return w + np.log(u / w) / w, 0.5 * np.exp(-size * np.log1p(m * least))


def upper(count: Floats, mean: Floats, spread: Floats) -> Floats:
    """Return the mid-p value of counts as high as these: P(K > count) + P(K = count) / 2."""
    z, none = _deviate(count, mean, spread)
    found: Floats = np.where(count <= 0, 1.0 - none, _normal(z))
    return found


def lower(count: Floats, mean: Floats, spread: Floats) -> Floats:
    """Return the mid-p value of counts as low as these: P(K < count) + P(K = count) / 2."""
    z, none = _deviate(count, mean, spread)
    found: Floats = np.where(count <= 0, none, _normal(-z))
    return found
