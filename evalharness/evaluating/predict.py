"""Prediction and attention: one forward pass over every row that is not stored yet."""

from evalharness import dataset as datasets
from evalharness import results
from evalharness.console import note
from evalharness.evaluating.session import Session
from evalharness.inference import run_inference


def predict(session: Session, writer: results.ResultsWriter) -> int:
    """Runs the pending rows through the model; returns how many there were."""
    inputs, config, positions = session.inputs, session.inputs.config, writer.pending()
    if not len(positions):
        return 0
    if writer.num_resumed:
        note(f"continuing: {writer.num_resumed} of {len(inputs.dataset.samples)} images are stored already")
    forward = session.forward
    batches = datasets.iterate_batches(
        inputs.dataset,
        positions,
        image_size=config.model.image_size,
        config=config.dataset,
        batch_size=config.batch_size,
        num_workers=config.num_workers,
    )
    if forward.num_forward_passes > 1:
        note(f"occlusion: {forward.num_forward_passes} forward passes an image, {len(positions)} images")
    row_ids = [sample.row_id for sample in inputs.dataset.samples]
    with session.clock.timed("predict"):
        run_inference(forward, batches, inputs.labels, row_ids, writer, num_images=len(positions))
    return len(positions)
