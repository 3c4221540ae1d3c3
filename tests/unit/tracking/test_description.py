from evalharness.tracking.description import describe
from evalharness.tracking.finished_evaluation import FinishedEvaluation


def test_numbers_with_intervals_come_first(results):
    evaluation = FinishedEvaluation.read(results())
    accuracy = evaluation.manifest["metrics"]["accuracy"]
    first = describe(evaluation, "id").splitlines()[0]
    assert first.startswith(
        f"**accuracy {accuracy:.4f}** ({accuracy - 0.05:.4f} to {accuracy + 0.05:.4f}), **macro F1 "
    )
    assert "calibration error" in first


def test_every_metric_with_an_interval_is_in_the_table(results):
    evaluation = FinishedEvaluation.read(results(undefined=("roc_auc",)))
    text = describe(evaluation, "id")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 2 + len(evaluation.manifest["intervals"])
    assert "| roc\\_auc | undefined | undefined |" in rows


def test_names_are_text_and_not_markup(results):
    folder = results(dataset_name="<img src=x> [a](b) *c*", weights="run|1.h5", warnings=["a\n# b <script>"])
    text = describe(FinishedEvaluation.read(folder), "id")
    assert "<img" not in text
    assert "<script" not in text
    assert "[a](b)" not in text
    assert "\n# b" not in text
    assert "&lt;img src=x&gt; \\[a\\]\\(b\\) \\*c\\*" in text


def test_only_pictures_that_exist_are_shown(results):
    folder = results()
    text = describe(FinishedEvaluation.read(folder), "1a2b")
    assert "(get-artifact?path=figures%2Fconfusion_matrix.png&run_uuid=1a2b)" in text
    assert text.count("get-artifact") == 1
    for name in ("pairs_random.grad_attention", "pairs_worst_mistakes.grad_attention", "pairs_worst_mistakes.rollout"):
        (folder / "figures" / f"{name}.png").write_bytes(b"")
    text = describe(FinishedEvaluation.read(folder), "1a2b")
    assert text.count("get-artifact") == 2
    assert "figures%2Fpairs_worst_mistakes.grad_attention.png" in text


def test_the_worst_mistakes_come_before_the_confusion_matrix(results):
    folder = results()
    for name in ("pairs_random.grad_attention", "worst_mistakes", "worst_mistakes.rollout"):
        (folder / "figures" / f"{name}.png").write_bytes(b"")
    text = describe(FinishedEvaluation.read(folder), "1a2b")
    shown = [part.split("&")[0] for part in text.split("get-artifact?path=")[1:]]
    assert shown == ["figures%2Fworst_mistakes.png", "figures%2Fconfusion_matrix.png"]


def test_findings_are_told_before_the_table(results):
    evaluation = FinishedEvaluation.read(results())
    evaluation.manifest["findings"] = {
        "broken_gates": ["gate.max_relies_rate: 30 % of verdicts rely on cat"],
        "regions": {"sentence": "The shortcut is cat: it pulls verdicts to roses."},
        "trust": [{"map_id": "grad_attention", "verdict": "believe it: beats random"}],
    }
    evaluation.manifest["sentences"] = [
        {"title": "Audit", "text": "The shortcut is cat: it pulls verdicts to roses."},
        {"title": "Map grad_attention", "text": "believe it: beats random."},
    ]
    text = describe(evaluation, "id")
    before_table = text[: text.index("| metric")]
    for part in ("The shortcut is cat", "Gate does not hold", "believe it: beats random"):
        assert part in before_table


def test_an_evaluation_from_before_stages_told_their_own_is_told_too(results):
    evaluation = FinishedEvaluation.read(results())
    del evaluation.manifest["sentences"]
    evaluation.manifest["findings"] = {
        "trust": [{"map_id": "grad_attention", "verdict": "believe it: beats random"}],
        "regions": {"sentence": "The shortcut is cat: it pulls verdicts to roses."},
        "noise": None,
        "stress": {"sentence": "No shortcut was found."},
        "broken_gates": [],
    }
    lines = describe(evaluation, "id").splitlines()
    told = [line for line in lines if line.startswith(("**Audit", "**Map", "**Noise", "**Stress"))]
    assert told == [
        "**Audit:** The shortcut is cat: it pulls verdicts to roses\\.",
        "**Map grad\\_attention:** believe it: beats random\\.",
        "**Stress test:** No shortcut was found\\.",
    ]


def test_classes_that_do_not_occur_are_told_under_the_numbers(results):
    folder = results(classes=("daisy", "roses"))
    evaluation = FinishedEvaluation.read(folder)
    assert "Averages over" not in describe(evaluation, "id")
    evaluation.manifest["classes"].append("tu*lips")
    assert "Averages over 2 of 3 classes: tu\\*lips does not occur\\." in describe(evaluation, "id")
