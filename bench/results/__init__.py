"""What rows and predictions say: means, intervals, paired differences and ranks."""

from bench.results.aggregated_result import AggregatedResult, Block, ResultKey, aggregated, protocol_names, task_names
from bench.results.baselines import baselines_of, best_baseline
from bench.results.chains import robustness_tasks
from bench.results.comparisons import Comparison
from bench.results.conditions import AUGMENTED, BEST_CLASSICAL, CLASSICAL, Condition, clean_of, grouped
from bench.results.conditions import conditions as conditions_of
from bench.results.contamination import LEAVE_OUT, LEVELS, Contamination, LeftOut, check_contaminated, contamination_of
from bench.results.frozen_tasks import CHANGED, SAMPLES, frozen_status, task_digest_of
from bench.results.head_settings import differing_settings
from bench.results.leaderboard_data import LeaderboardData, read_leaderboard
from bench.results.models import ModelFacts, models_of, tasks_seen
from bench.results.protocol_scores import AcrossProtocols, across_protocols
from bench.results.rank_blocks import RankedBlock
from bench.results.rank_suites import FEWEST_TASKS, SuiteRanks, suite_ranks
from bench.results.restoration import Against, Restorers, is_restoration, parted, restorers_of
from bench.results.robustness import Change, Robustness, Summary, robustness_of, to_clean
from bench.results.robustness_measures import mean_of, mean_over_cases, recovery, relative_error
from bench.results.standing import Rival, Standing, best_first, over_draws, standings

__all__ = [
    "AUGMENTED",
    "BEST_CLASSICAL",
    "CHANGED",
    "CLASSICAL",
    "FEWEST_TASKS",
    "LEAVE_OUT",
    "LEVELS",
    "SAMPLES",
    "AcrossProtocols",
    "Against",
    "AggregatedResult",
    "Block",
    "Change",
    "Comparison",
    "Condition",
    "Contamination",
    "LeaderboardData",
    "LeftOut",
    "ModelFacts",
    "RankedBlock",
    "Restorers",
    "ResultKey",
    "Rival",
    "Robustness",
    "Standing",
    "SuiteRanks",
    "Summary",
    "across_protocols",
    "aggregated",
    "baselines_of",
    "best_baseline",
    "best_first",
    "check_contaminated",
    "clean_of",
    "conditions_of",
    "contamination_of",
    "differing_settings",
    "frozen_status",
    "grouped",
    "is_restoration",
    "mean_of",
    "mean_over_cases",
    "models_of",
    "over_draws",
    "parted",
    "protocol_names",
    "read_leaderboard",
    "recovery",
    "relative_error",
    "restorers_of",
    "robustness_of",
    "robustness_tasks",
    "standings",
    "suite_ranks",
    "task_digest_of",
    "task_names",
    "tasks_seen",
    "to_clean",
]
