"""What the paper printed: tables 1 to 3 and the sigmas of figure 6, to stand beside our figures.

Cheng et al., IEEE Access 2020. All values are percent.
"""

from typing import NamedTuple

# The protocol whose figures the paper prints; it reports one direction of RegDB.
PROTOCOL = {
    "regdb": "regdb/visible-to-thermal",
    "sysu_mm01": "sysu_mm01/all/single/python-seeded",
}
BASELINE = "BDTR (baseline)"
COMPLETE = "dmcf"  # the row of the complete method
BASELINE_ROW = "bdtr"  # our row of the baseline


class Scores(NamedTuple):
    """One row on one data set in percent; None where the paper gives no value."""

    cmc_1: float
    mAP: float
    cmc_10: float | None = None
    cmc_20: float | None = None


def _table_1(rows: dict[str, tuple[float, float, float, float] | None]) -> dict[str, Scores]:
    """Return rows given in the paper's order of columns: CMC-1, CMC-10, CMC-20, mAP."""
    return {
        name: Scores(row[0], row[3], cmc_10=row[1], cmc_20=row[2])
        for name, row in rows.items()
        if row
    }


TABLE_1 = {
    "regdb": _table_1(
        {
            "LOMO": (0.85, 2.47, 4.10, 2.28),
            "MLBP": (2.02, 7.33, 10.90, 6.77),
            "HOG": (13.49, 33.72, 43.66, 10.31),
            "GSM": (17.28, 34.47, 45.26, 15.06),
            "One-stream": (13.11, 32.98, 42.51, 14.02),
            "Two-stream": (12.43, 30.36, 40.96, 13.42),
            "Zero-Padding": (17.75, 34.21, 44.25, 18.90),
            "TONE": (16.87, 34.03, 44.10, 14.92),
            "HCML": (24.44, 47.53, 56.78, 20.80),
            BASELINE: (33.47, 58.42, 67.52, 31.83),
            "D2RL": (43.4, 66.1, 76.3, 44.1),
            "DMCF (paper)": (39.75, 61.26, 70.10, 40.79),
        }
    ),
    "sysu_mm01": _table_1(
        {
            "LOMO": (1.75, 14.14, 26.83, 3.48),
            "MLBP": (2.12, 16.23, 28.32, 3.86),
            "HOG": (2.76, 18.25, 31.91, 4.24),
            "GSM": (5.29, 33.71, 52.95, 8.00),
            "One-stream": (12.04, 49.68, 66.74, 13.67),
            "Two-stream": (11.65, 47.99, 65.50, 12.85),
            "Zero-Padding": (14.80, 54.12, 71.23, 15.95),
            "TONE": (12.52, 50.72, 68.60, 14.42),
            "HCML": (14.32, 53.16, 69.17, 16.16),
            BASELINE: (17.01, 55.43, 71.97, 19.66),
            "cmGAN": (26.97, 67.51, 80.56, 27.80),
            "D2RL": (28.9, 70.6, 82.4, 29.2),
            "DMCF (paper)": (30.26, 75.59, 88.13, 33.38),
        }
    ),
}

_WHOLE = {
    name: TABLE_1[name]["DMCF (paper)"] for name in TABLE_1
}  # tables 2 and 3 repeat it as their last row
# Rows that tables 2 and 3 print, by the name of the config variant; 'dmcf' is the complete method
# and table 3's feature_2_3_4.
VARIANTS = {
    "regdb": {
        "dcf": Scores(25.58, 26.72),
        "no_split": Scores(30.29, 32.14),
        "no_mtl": Scores(34.51, 37.28),
        "feature_1_2_3_4": Scores(23.76, 25.69),
        "feature_2_4": Scores(27.91, 27.38),
        "feature_2_3": Scores(36.88, 38.64),
        "feature_3_4": Scores(37.89, 39.54),
        COMPLETE: _WHOLE["regdb"],
    },
    "sysu_mm01": {
        "dcf": Scores(22.70, 25.47),
        "no_split": Scores(27.18, 30.34),
        "no_mtl": Scores(28.06, 31.24),
        "feature_1_2_3_4": Scores(20.89, 22.66),
        "feature_2_4": Scores(22.69, 25.98),
        "feature_2_3": Scores(28.36, 31.56),
        "feature_3_4": Scores(28.98, 31.54),
        COMPLETE: _WHOLE["sysu_mm01"],
    },
}
# Rows of table 1 in the paper's order: our name, and the paper's.
ROW_OF = {
    "lomo": "LOMO",
    "mlapg": "MLBP",  # table 1; the text has MLAPG, which its reference is
    "hog": "HOG",
    "gsm": "GSM",
    "one_stream": "One-stream",
    "two_stream": "Two-stream",
    "zero_padding": "Zero-Padding",
    "tone": "TONE",
    "hcml": "HCML",
    BASELINE_ROW: BASELINE,
    "cmgan": "cmGAN",
    "d2rl": "D2RL",
    COMPLETE: "DMCF (paper)",
}
# Rows of the tables in the paper's order, our names; tables 2 and 3 without their first row, the
# baseline, which table 1 has.
TABLE_ROWS = {
    1: tuple(ROW_OF),
    2: ("dcf", "no_split", "no_mtl", COMPLETE),
    3: ("feature_1_2_3_4", "feature_2_4", "feature_2_3", "feature_3_4", COMPLETE),
}
# Figure 6: ratio of the final sigmas, low : middle : high.
SIGMA_RATIO = {"regdb": (0.2, 0.3, 1.0), "sysu_mm01": (0.2, 1.0, 1.0)}


def title_of(row: str) -> str:
    """Return what the paper's table 1 calls one of our rows; other rows keep their name."""
    return "DMCF" if row == COMPLETE else ROW_OF.get(row, row)


def printed(dataset: str, row: str) -> Scores | None:
    """Return what the paper prints of one of our rows on a data set; None for nothing."""
    table_1 = TABLE_1.get(dataset, {})
    return VARIANTS.get(dataset, {}).get(row) or table_1.get(ROW_OF.get(row, ""))
