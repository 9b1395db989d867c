"""What a crawl that is under way judges by, while policies are read again."""

from pathlib import Path

from support.policies import NO_JUDGING, a_policy
from weighbridge.config import RegistrySettings, load_policies
from weighbridge.domain.image.platform import DEFAULT, Platform
from weighbridge.domain.policy.policy import PolicySet
from weighbridge.engine.judge.judged_batch import Judges
from weighbridge.engine.judge.policy_reload import PolicyReload
from weighbridge.telemetry import Telemetry

HUB = RegistrySettings(name="hub", url="https://registry.example")
POLICIES = "policies: [{{name: services, max_compressed: {}}}]\n"


def test_policies_that_were_read_again_hold_for_the_next_image(tmp_path: Path) -> None:
    file = tmp_path / "weighbridge.yaml"
    file.write_text(POLICIES.format("500MB"))
    reload = PolicyReload(load_policies(str(file), {}), Telemetry())
    judges = Judges(reload.current)
    before = judges.of(HUB.platforms)
    file.write_text(POLICIES.format("90MB"))
    reload.reload()

    def limit(policies: PolicySet) -> int | None:
        return policies.limits_of("hub", "acme/app", "1").max_compressed_bytes

    assert limit(before.policies) == 500_000_000
    assert limit(judges.of(HUB.platforms).policies) == 90_000_000


def test_a_registry_is_judged_by_its_own_platforms() -> None:
    arm = Platform("linux", "arm64")
    judges = Judges(lambda: PolicySet([a_policy("a")]), is_silent=True)

    assert judges.of(HUB.platforms).platforms == (DEFAULT,)
    assert judges.of((arm,)).platforms == (arm,)
    assert judges.of(HUB.platforms).is_silent
    assert judges.of(HUB.platforms).is_judging
    assert not NO_JUDGING.is_judging
