"""Mixtures of faults at one seed; the long tests have twenty, and each fault alone."""

from pathlib import Path

import pytest

from support import fault_scenes
from support.database import Engine
from support.faulty_crawls import CrawledDatabase
from support.two_moments import TwoMoments

SEED = 21


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_faults_that_pass_cost_attempts_and_nothing_else(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    fault_scenes.faults_that_pass(moments, database, SEED)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_faults_that_last_leave_what_was_known(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    fault_scenes.faults_that_last(moments, database, SEED)


def test_f07_manifests_that_arrive_changed_are_never_stored(
    moments: TwoMoments, database: CrawledDatabase
) -> None:
    fault_scenes.manifests_that_arrive_changed(moments, database, SEED)


def test_f11_a_tag_that_changes_at_any_moment_is_old_or_new(
    moments: TwoMoments, database: CrawledDatabase, tmp_path: Path
) -> None:
    fault_scenes.a_tag_that_changes_meanwhile(moments, database, tmp_path, SEED)


@pytest.mark.long_on("postgresql")  # the rest of this file has it
def test_a_first_crawl_through_faults_comes_to_the_same(
    moments: TwoMoments, engine: Engine, tmp_path: Path
) -> None:
    fault_scenes.a_first_crawl(moments, engine, tmp_path, SEED)
