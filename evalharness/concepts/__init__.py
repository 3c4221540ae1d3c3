"""Concepts: what maps light up again and again, grouped without annotations, and tested for pull. Pure mathematics."""

from evalharness.concepts.candidates import part_of_photo
from evalharness.concepts.clustering import Assignment, Clusters, fit_clusters, largest_num_clusters
from evalharness.concepts.features import join_views, pool_tokens
from evalharness.concepts.harmful import ConceptRegion, harmful_regions
from evalharness.concepts.judging import Concept, judge_concepts, num_photos_to_test
from evalharness.concepts.overlap import match_by_centroids, match_by_photos
from evalharness.concepts.pulling import choose_pairs, gather_evidence
from evalharness.concepts.splitting import CLAIM, FIT, split_groups
from evalharness.concepts.verdict_harm import NO_HARM, VerdictHarm, measure_verdict_harm

__all__ = [
    "CLAIM",
    "FIT",
    "NO_HARM",
    "Assignment",
    "Clusters",
    "Concept",
    "ConceptRegion",
    "VerdictHarm",
    "choose_pairs",
    "fit_clusters",
    "gather_evidence",
    "harmful_regions",
    "join_views",
    "judge_concepts",
    "largest_num_clusters",
    "match_by_centroids",
    "match_by_photos",
    "measure_verdict_harm",
    "num_photos_to_test",
    "part_of_photo",
    "pool_tokens",
    "split_groups",
]
