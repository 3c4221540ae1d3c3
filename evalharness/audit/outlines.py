"""The outlines of a region as polygons on its photo, small enough to be kept with every image."""

import numpy as np

from evalharness.audit.geometry import BoolArray
from evalharness.records import Extent

FINE = 256
"""Pixels of the longer side that outlines are traced on at least: traced pixels are drawn through their centres."""
TOLERANCE = 0.01
"""How far a simplified outline may stray, in parts of the longer side."""
MIN_CORNERS, MAX_POLYGONS = 3, 8
"""Corners of an outline, and outlines of a region in many pieces: the largest."""
DIGITS = 4


def trace_outlines(mask: BoolArray, extent: Extent) -> list[list[float]]:
    """The outer outlines of a region.

    Args:
        mask: Pixels, or patches, of the model's input that belong to it, (height, width).
        extent: The part of the model's input that the photo spans.

    Returns:
        A polygon for each connected piece, the largest first: x and y of its corners in turn, as parts of the photo's
        width and height; below 0 or above 1 where the photo is not drawn. None for an empty mask.
    """
    # Takes a moment, and not every evaluation has regions.
    import cv2

    height, width = mask.shape
    scale = max(2, -(-FINE // max(height, width)))
    fine = np.kron(mask, np.ones((scale, scale), np.bool_)).astype(np.uint8)
    found, _ = cv2.findContours(np.pad(fine, 1), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = sorted(found, key=cv2.contourArea, reverse=True)[:MAX_POLYGONS]
    sides = np.array([width, height]) * scale
    start, span = (
        np.array([extent.left, extent.top]),
        np.array([extent.right - extent.left, extent.bottom - extent.top]),
    )
    polygons = []
    for contour in largest:
        corners = cv2.approxPolyDP(contour, TOLERANCE * max(sides), True)[:, 0]  # noqa: FBT003 - OpenCV's own
        if len(corners) < MIN_CORNERS:
            # Smaller than the tolerance: its box is seen, a point is not.
            left, top, box_width, box_height = cv2.boundingRect(contour)
            corners = (
                np.array([left, top]) + np.outer([0, 0, 1, 1], [0, box_height]) + np.outer([0, 1, 1, 0], [box_width, 0])
            )
        # Less the padding, to the middle of each pixel.
        on_photo = ((corners - 0.5) / sides - start) / span
        polygons.append(np.round(on_photo, DIGITS).ravel().tolist())
    return polygons
